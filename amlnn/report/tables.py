"""The comparison table for a terminal, for Markdown and for the page."""

import csv
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from amlnn.report.columns import Column
from amlnn.report.kinds import kind_of
from amlnn.report.template import macro

if TYPE_CHECKING:
    from rich.table import Table

    from amlnn.results.summary import Summary

__all__ = [
    'comparison_columns',
    'csv_table',
    'escape_markdown',
    'fitting_columns',
    'html_table',
    'markdown_table',
    'plain_markdown',
    'rich_rows',
    'rich_table',
    'terminal_columns',
    'titled_table',
]


def comparison_columns(summary: 'Summary') -> list[Column]:
    """Return the columns in which the summary has something to say."""
    return kind_of(summary.kind).columns(summary)


def terminal_columns(summary: 'Summary', width: int) -> tuple[list[Column], list[str]]:
    """Return the columns that fit into `width` characters, and the titles of those that do not."""
    return fitting_columns(comparison_columns(summary), summary.table_rows, width)


def fitting_columns(columns: Sequence[Column], rows: Sequence,
                    width: int) -> tuple[list[Column], list[str]]:
    """Return the columns that fit into `width` characters, and the titles of those that do not."""
    columns, dropped = list(columns), []
    while _width(columns, rows) > width and any(column.rank for column in columns):
        least = max(columns, key=lambda column: column.rank)
        columns.remove(least)
        dropped.append(least.title)
    return columns, [' '.join(title.split()) for title in reversed(dropped)]


def rich_table(summary: 'Summary', columns: Sequence[Column] | None = None) -> 'Table':
    """Return the table for `rich.console.Console.print`."""
    columns = comparison_columns(summary) if columns is None else columns
    return rich_rows(columns, summary.table_rows, [summary.baseline])


def titled_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]],
                 text_columns: int) -> 'Table':
    """Return a table of texts for `rich.console.Console.print`.

    Args:
        title: Above it.
        head: Of the columns.
        rows: As long as the head.
        text_columns: So many columns begin at the left; those behind are numbers.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text
    table = Table(title=Text(title), box=box.SIMPLE_HEAD, pad_edge=False, title_justify='left')
    for place, name in enumerate(head):
        table.add_column(Text(name), justify='left' if place < text_columns else 'right')
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def rich_rows(columns: Sequence[Column], rows: Sequence, bold: Sequence = ()) -> 'Table':
    """Return a table for `rich.console.Console.print`; rows that are among `bold` stand out."""
    from rich import box
    from rich.table import Table
    from rich.text import Text
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(Text(column.title), justify='right' if column.right else 'left',
                         no_wrap=column.right, vertical='bottom')
    for row in rows:
        # Text, not str: a name like `[red]` is a name, not a style.
        table.add_row(*(Text(column.cell(row)) for column in columns),
                      style='bold' if any(row is each for each in bold) else '')
    return table


def markdown_table(summary: 'Summary', columns: Sequence[Column] | None = None) -> str:
    """Return the table as GitHub's Markdown, its columns padded so that it reads as text too."""
    columns = comparison_columns(summary) if columns is None else columns
    return _padded([[column.title for column in columns],
                    *([column.cell(row) for column in columns] for row in summary.table_rows)],
                   [column.right for column in columns])


def plain_markdown(head: Sequence[str], rows: Sequence[Sequence[str]],
                   text_columns: int = 1) -> str:
    """Return any table as GitHub's Markdown; columns after the first few are numbers."""
    return _padded([head, *rows], [place >= text_columns for place in range(len(head))])


def _padded(lines: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    cells = [[escape_markdown(cell) for cell in line] for line in lines]
    widths = [max(3, *(len(line[index]) for line in cells)) for index in range(len(right))]
    text = []
    for number, line in enumerate(cells):
        padded = [cell.rjust(width) if is_right else cell.ljust(width)
                  for cell, width, is_right in zip(line, widths, right, strict=True)]
        text.append(f'| {" | ".join(padded)} |')
        if number == 0:
            rules = ['-' * (width - 1) + (':' if is_right else '-')
                     for width, is_right in zip(widths, right, strict=True)]
            text.append(f'| {" | ".join(rules)} |')
    return '\n'.join(text) + '\n'


def csv_table(summary: 'Summary', columns: Sequence[Column] | None = None) -> str:
    """Return the table as CSV, one line a row."""
    columns = comparison_columns(summary) if columns is None else columns
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow([' '.join(column.title.split()) for column in columns])
    writer.writerows([column.cell(row) for column in columns] for row in summary.table_rows)
    return text.getvalue()


def html_table(summary: 'Summary', links: dict[str, str] | None = None) -> str:
    """Return the table as HTML, every name escaped.

    Args:
        summary: What to show.
        links: Row name to the id of its section on the page.
    """
    columns = comparison_columns(summary)
    simple = {id(row) for row in summary.simple}
    rows = []
    for row in summary.table_rows:
        baseline = row is summary.baseline and len(summary.rows) > 1
        rows.append({'look': 'baseline' if baseline else 'simple' if id(row) in simple else '',
                     'link': (links or {}).get(row.name),
                     'cells': [column.cell(row) for column in columns]})
    return macro('comparison')(columns, rows)


def _width(columns: Sequence[Column], rows: Sequence) -> int:
    # Between two columns lie three spaces; the table's own edge is two more.
    return 3 * len(columns) - 1 + sum(
        max(*map(len, column.title.split('\n')), *(len(column.cell(row)) for row in rows))
        for column in columns)


def escape_markdown(text: str) -> str:
    """Return text that Markdown shows as it is: no tags, no emphasis, one line.

    >>> print(escape_markdown('resnet50_frozen3 <b> *x*'))
    resnet50_frozen3 \\<b\\> \\*x\\*
    """
    # An underscore inside a word is no emphasis: `resnet50_frozen3` stays readable as text.
    text = re.sub(r'[\\`*<>|\[\]~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])', r'\\\g<0>', text)
    return ' '.join(text.split())
