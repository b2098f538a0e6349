"""What a command tells its user, line by line."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ['say']


def say(console: 'Console', text: str, kind: Literal['note', 'warning'] | None = None) -> None:
    """Print a line as it is.

    What a user copies is not broken at the width of the terminal, and nothing in it, such as the
    [brackets] or :colons: of a path, is taken for colour or a picture.

    Args:
        console: Where to.
        text: The line.
        kind: Begins the line, where it is no part of what was asked for.

    >>> from rich.console import Console
    >>> say(Console(width=20), 'run folder: work_dirs/[a]/:b:')
    run folder: work_dirs/[a]/:b:
    >>> say(Console(), 'the test part is short', 'warning')
    warning: the test part is short
    """
    console.print(f'{kind}: {text}' if kind else text, markup=False, emoji=False, highlight=False,
                  soft_wrap=True)
