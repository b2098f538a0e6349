"""A page of what was found in something, and a table beside it that a person goes through."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from amlnn import __version__
from amlnn.errors import DataError
from amlnn.foreign_texts import parse_json
from amlnn.report.blocks import Block
from amlnn.report.report_folder import PageFolder
from amlnn.report.template import render

__all__ = ['Chapter', 'refuse_findings', 'write_findings']


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
    stamp = datetime.now(UTC).strftime('%Y-%m-%d %H:%M UTC')
    out = Path(out)
    with _FindingsFolder(out).new() as new:
        page = render('page.html.j2', title=title, parts=[], sections=chapters, unseen='',
                      counted=f'{counted}; made {stamp} with amlnn {__version__}')
        for name, text in {'index.html': page, **tables}.items():
            (new / name).write_text(text, encoding='utf-8', errors='backslashreplace',
                                    newline='\n')
    return out / 'index.html'


def refuse_findings(out: Path) -> None:
    """Refuse a folder that findings cannot be written to, before they are looked for.

    Raises:
        DataError: says why.
    """
    _FindingsFolder(out).refuse()


class _FindingsFolder(PageFolder):
    """Its marker has the SHA-256 of every file, which tells whether a person edited a table."""

    what = 'findings'
    swapped = 'page'
    marker = '.amlnn-findings.json'

    def noted(self, folder: Path) -> dict[str, str]:
        return {path.name: _sum(path) for path in sorted(folder.iterdir())}

    def refuse(self) -> None:
        super().refuse()
        for name, expected in self._written().items():
            table = self.out / name
            if name.endswith('.csv') and table.is_file() and _sum(table) != expected:
                raise DataError(f'`{table}` was edited since it was written',
                                hint='choose another folder with --out, or move the table away')

    def _written(self) -> dict[str, str]:
        """What an earlier run wrote there, with its sums; nothing where the marker is damaged."""
        try:
            found = parse_json((self.out / self.marker).read_text(encoding='utf-8'))
            return {str(name): str(each) for name, each in found.items()}
        except (OSError, ValueError, AttributeError):
            return {}


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
