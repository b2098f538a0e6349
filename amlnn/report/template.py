"""The page's templates. Whatever they are given is text: autoescape is on."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ['macro', 'render']

_FOLDER = Path(__file__).parent


def render(name: str, **values: object) -> str:
    """The text of a template of this folder, with the style sheet as `css`."""
    css = (_FOLDER / 'page.css').read_text(encoding='utf-8')
    return _environment().get_template(name).render(css=css, **values)


def macro(name: str) -> Callable[..., str]:
    """A macro of `blocks.html.j2`, whose results templates take as HTML."""
    return getattr(_environment().get_template('blocks.html.j2').module, name)


@cache
def _environment() -> 'Environment':
    # Imported here, so that commands answer --help quickly.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    return Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, trim_blocks=True,
                       lstrip_blocks=True, undefined=StrictUndefined, keep_trailing_newline=True)
