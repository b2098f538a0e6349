"""A page of what was found in something, and a table beside it that a person goes through."""

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from amlnn import __version__
from amlnn.errors import DataError
from amlnn.folder_swap import replacing_folder
from amlnn.foreign_texts import parse_json
from amlnn.report.blocks import Block
from amlnn.report.template import render

__all__ = ['Chapter', 'refuse_findings', 'write_findings']

_MARKER = '.amlnn-findings.json'  # SHA-256 of the files that were written, by name


@dataclass(frozen=True)
class Chapter:
    """A part of the page."""

    title: str
    blocks: Sequence[Block]
    anchor: str
    status: str = ''


def write_findings(out: Path | str, title: str, counted: str, chapters: Sequence[Chapter],
                   tables: Mapping[str, str]) -> Path:
    """Write `index.html` and tables into a folder, which appears whole or not at all.

    Earlier findings in it are replaced, unless somebody has gone through a table since. Files that
    were put beside them are kept.

    Args:
        out: A folder that does not exist, is empty, or holds earlier findings.
        title: Of the page.
        counted: What was looked at, below the title; it gets the time and the version.
        chapters: What was found.
        tables: Text by name of file.

    Returns:
        The path of `index.html`.

    Raises:
        DataError: the folder holds something else, an edited table for instance, or cannot be
            written.
    """
    out = Path(out)
    refuse_findings(out)
    stamp = datetime.now(UTC).strftime('%Y-%m-%d %H:%M UTC')
    try:
        with replacing_folder(out.resolve(), True, lambda names: _MARKER in names, 'page',
                              _of_others) as work:
            new = work / 'new'
            new.mkdir()
            page = render('page.html.j2', title=title, parts=[], sections=chapters, unseen='',
                          counted=f'{counted}; made {stamp} with amlnn {__version__}')
            texts = {'index.html': page, **tables}
            for name, text in texts.items():
                (new / name).write_text(text, encoding='utf-8', errors='backslashreplace',
                                        newline='\n')
            sums = {name: _sum(new / name) for name in texts}
            (new / _MARKER).write_text(json.dumps(sums, indent=1) + '\n', encoding='utf-8')
    except OSError as error:
        raise DataError(f'the findings cannot be written to `{out}`: {error}',
                        hint='choose another folder with --out') from None
    return out / 'index.html'


def refuse_findings(out: Path) -> None:
    """Refuse a folder that findings cannot be written to, before they are looked for.

    Raises:
        DataError: says why.
    """
    inside = shlex.quote(str(out / 'findings'))
    if out.exists() and not out.is_dir():
        raise DataError(f'`{out}` is a file', hint='choose a folder with --out')
    if Path.cwd().is_relative_to(out.resolve()):
        # The folder is replaced by renaming: it must not vanish under the one who works in it.
        raise DataError(f'`{out}` is the working folder, or holds it',
                        hint=f'choose a folder inside it: --out {inside}')
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not (out / _MARKER).is_file():
        raise DataError(f'`{out}` is not empty and holds no earlier findings',
                        hint=f'choose a new folder: --out {inside}')
    for name, expected in _written(out).items():
        if name.endswith('.csv') and (out / name).is_file() and _sum(out / name) != expected:
            raise DataError(f'`{out / name}` was edited since it was written',
                            hint='choose another folder with --out, or move the table away')


def _written(folder: Path) -> dict[str, str]:
    """What an earlier run wrote there, with its sums; nothing where the marker is damaged."""
    try:
        found = parse_json((folder / _MARKER).read_text(encoding='utf-8'))
        return {str(name): str(each) for name, each in found.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _of_others(old: Path) -> list[Path]:
    """What earlier findings did not write: it moves along."""
    ours = {*_written(old), _MARKER}
    return [path for path in old.iterdir() if path.name not in ours]


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
