"""A study's tables for the terminal and as Markdown, with a picture of its series."""

from pathlib import Path
from typing import TYPE_CHECKING

from amlnn.atomic import write_text
from amlnn.report.forecasting import draw_components
from amlnn.report.tables import escape_markdown, plain_markdown

if TYPE_CHECKING:
    from rich.table import Table

    from amlnn.results.series_study import Study, StudyTable

__all__ = ['study_markdown', 'study_table', 'write_study']


def write_study(study: 'Study', components: dict, out: Path | str) -> Path:
    """Write `study.md` and `components.png` into a folder; the path of the former.

    Args:
        study: What was measured.
        components: Arguments of `draw_components`.
        out: The folder; other files in it stay.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    draw_components(**components, path=out / 'components.png',
                    title=f'{study.title.partition(":")[0]}: the longest series of fresh data')
    write_text(out / 'study.md', study_markdown(study))
    return out / 'study.md'


def study_markdown(study: 'Study') -> str:
    """The tables and notes as GitHub's Markdown."""
    lines = [f'# {escape_markdown(study.title)}', '']
    for table in study.tables:
        lines += [f'## {escape_markdown(table.title)}', '',
                  plain_markdown(table.header, table.rows)]
    lines += [f'- {escape_markdown(note)}' for note in study.notes]
    lines += ['', '![The series and its parts](components.png)']
    return '\n'.join(lines) + '\n'


def study_table(table: 'StudyTable') -> 'Table':
    """A table for `rich.console.Console.print`."""
    from rich import box
    from rich.table import Table
    from rich.text import Text
    shown = Table(title=Text(table.title), box=box.SIMPLE_HEAD, pad_edge=False,
                  title_justify='left')
    for place, name in enumerate(table.header):
        shown.add_column(Text(name), justify='right' if place else 'left', no_wrap=True,
                         vertical='bottom')
    for row in table.rows:
        shown.add_row(*map(Text, row))
    return shown
