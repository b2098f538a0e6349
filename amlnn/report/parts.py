"""A page of parts, each with a table and pictures, and of a section a run: HTML and Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from amlnn import __version__
from amlnn.report.blocks import Picture, Table
from amlnn.report.sections import Section
from amlnn.report.tables import escape_markdown, plain_markdown
from amlnn.report.template import macro, render

__all__ = ['Part', 'table_part', 'write_parts']


@dataclass
class Part:
    """One part of the page: a comparison of runs, for instance."""

    anchor: str
    heading: str
    finding: str
    table: str
    """As HTML."""
    markdown: str
    notes: Sequence[str] = ()
    pictures: list[Picture] = field(default_factory=list)


def table_part(place: int, heading: str, table: Table, finding: str = '',
               notes: Sequence[str] = (), pictures: Sequence[Picture] = ()) -> Part:
    """A part of a table that is no comparison of runs; `place` tells it from the others."""
    return Part(f'table_{place}', heading, finding, macro('table')(table),
                plain_markdown(table.head, table.rows, table.text_columns), list(notes),
                list(pictures))


def write_parts(folder: Path, title: str, of_what: str, unseen: str, parts: Sequence[Part],
                sections: Sequence[Section] = ()) -> None:
    """Write `index.html` and `report.md` into a folder, beside the pictures.

    Args:
        folder: Where to.
        title: Of the page.
        of_what: What was compared, counted.
        unseen: A line on letters that no font has, or ''.
        parts: In their order.
        sections: Behind them.
    """
    stamp = datetime.now(UTC).strftime('%Y-%m-%d %H:%M UTC')
    counted = f'{of_what}, made {stamp} with amlnn {__version__}'
    page = render('page.html.j2', title=title, counted=counted, unseen=unseen, parts=parts,
                  sections=sections)
    text = _markdown(title, counted, unseen, parts, sections)
    # Half of a surrogate pair, from a file name that is no text, has no place in UTF-8.
    (folder / 'index.html').write_text(page, encoding='utf-8', errors='backslashreplace')
    (folder / 'report.md').write_text(text, encoding='utf-8', errors='backslashreplace')


def _markdown(title: str, counted: str, unseen: str, parts: Sequence[Part],
              sections: Sequence[Section]) -> str:
    lines = [f'# {escape_markdown(title)}', '', escape_markdown(counted), '']
    lines += [escape_markdown(unseen), ''] if unseen else []
    for each in parts:
        if each.heading:
            lines += [f'## {escape_markdown(each.heading)}', '']
        if each.finding:
            lines += [escape_markdown(each.finding), '']
        lines += [each.markdown]
        lines += [f'- {escape_markdown(note)}' for note in each.notes]
        lines += [''] * bool(each.notes)
        for shown in each.pictures:
            lines += [f'![{escape_markdown(shown.alt)}]({shown.file})', '']
    for section in sections:
        lines += [f'## {escape_markdown(section.title)}', '', escape_markdown(section.state), '']
        lines += [f'- {name}: {escape_markdown(value)}' for name, value in section.facts]
        lines += ['']
        for listing in section.listings:
            lines += [escape_markdown(listing.text), '', plain_markdown(
                listing.table.head, listing.table.rows, listing.table.text_columns)]
            lines += [f'{escape_markdown(listing.whole)}: [{listing.file}]({listing.file})', '']
        for shown in section.pictures:
            lines += [f'![{escape_markdown(shown.alt)}]({shown.file})', '']
    return '\n'.join(lines).rstrip() + '\n'
