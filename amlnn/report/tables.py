"""The comparison table for a terminal, for Markdown and for HTML."""

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amlnn.report.figures import metric_label

if TYPE_CHECKING:
    from rich.table import Table

    from amlnn.results.simple_methods import SimpleRow
    from amlnn.results.summary import Difference, Row, Summary

__all__ = ['Column', 'comparison_columns', 'count', 'difference_text', 'error_text',
           'escape_markdown', 'html_table', 'markdown_table', 'rich_table', 'seconds_text',
           'terminal_columns']

_FURTHER = ('superclass/', 'present/')

_UNKNOWN = '–'  # noqa: RUF001  an en dash, as tables use it for "none"


@dataclass(frozen=True)
class Column:
    """One column: its heading, what a row shows in it, and how much it matters."""

    title: str
    cell: Callable[['Row | SimpleRow'], str]
    right: bool = True
    """Right-aligned, as numbers are."""
    rank: int = 0
    """On a narrow terminal the highest go first; 0 stays."""


def comparison_columns(summary: 'Summary') -> list[Column]:
    """Return the columns in which the summary has something to say."""
    if summary.kind == 'forecasting':
        return _forecast_columns(summary)
    rows = summary.rows
    label = metric_label(summary.metric).removesuffix(' (%)').replace(' accuracy', '')
    samples = {row.samples for row in rows if row.value is not None}
    one_size = len(samples) == 1 and None not in samples
    where = f'{summary.split}, n={samples.copy().pop():,}' if one_size else summary.split
    finished = all(row.status == 'done' for row in rows)
    status = [] if finished else [Column('status', lambda row: row.status, right=False)]
    columns = [
        Column('configuration', lambda row: row.name, right=False),
        *status,
        Column('frozen', lambda row: _frozen(row.record.frozen_stages), rank=5),
        Column('trainable', lambda row: count(row.record.trainable_parameters), rank=2),
        Column('total', lambda row: count(row.record.total_parameters), rank=7),
        Column(f'{label}\n({where})', lambda row: _value(row, summary.metric)),
    ]
    if samples and not one_size:
        columns.append(Column('images', lambda row: count(row.samples), rank=6))
    if any(row.low is not None for row in rows):
        columns.append(Column('95 %\ninterval', _interval, rank=3))
    columns += _further_accuracies(summary)
    if any(row.difference is not None for row in rows):
        columns += [
            Column(f'minus\n{summary.baseline.name}', lambda row: _minus(row, summary)),
            Column('95 % interval of\nthe difference', _minus_interval, rank=1)]
    if any(row.reported is not None for row in rows):
        columns.append(Column('reported', lambda row: _UNKNOWN if row.reported is None
                              else _number(row.reported.value, summary.metric)))
    columns += [
        Column('seconds', lambda row: seconds_text(row.seconds), rank=4),
        Column('images/s', lambda row: _UNKNOWN if row.images_per_second is None
               else f'{row.images_per_second:,.0f}', rank=9),
        Column('epochs', _epochs, rank=8),
        Column('best', _best_epoch, rank=11),
        Column('seeds', lambda row: str(len(row.group.runs)), rank=10),
    ]
    return columns


def _further_accuracies(summary: 'Summary') -> list[Column]:
    """A column of every accuracy of superclasses or of present classes that a row has."""
    names = {name for row in summary.rows for run in row.group.runs
             for metrics in (*(epoch.metrics for epoch in run.record.epochs),
                             *(test.metrics for test in run.tests.values()))
             for name in metrics if name.startswith(_FURTHER)}
    columns = []
    for name in sorted(names, key=lambda name: (not name.startswith('superclass/'), name)):
        cells = {id(row): _recorded_cell(row, name, summary.split) for row in summary.rows}
        if any(cell != _UNKNOWN for cell in cells.values()):
            group, _, metric = name.partition('/')
            title = group if group == 'superclass' else f'{group} classes'
            metric = metric.replace('top', 'top-')
            columns.append(Column(f'{metric},\n{title}', lambda row, cells=cells: cells[id(row)],
                                  rank=3))
    return columns


def _recorded_cell(row: 'Row', metric: str, split: str) -> str:
    value = row.over_seeds(metric, split)
    if value is None:
        return _UNKNOWN
    spread = f' ± {_number(value[1], metric)}' if value[1] is not None else ''
    return _number(value[0], metric) + spread


def _forecast_columns(summary: 'Summary') -> list[Column]:
    """Columns of forecasters and of simple methods, which have errors and windows only."""
    from amlnn.results.summary import Row
    rows, split = summary.rows, summary.split

    def trained(cell: Callable[['Row'], str]) -> Callable[['Row | SimpleRow'], str]:
        return lambda row: cell(row) if isinstance(row, Row) else ''

    def error(title: str, metric: str, rank: int) -> list[Column]:
        cells = {id(row): _error_cell(row, metric, summary) for row in summary.table_rows}
        known = any(cell != _UNKNOWN for cell in cells.values())
        return [Column(title, lambda row: cells[id(row)], rank=rank)] if known else []

    reported = [] if not any(row.reported is not None for row in rows) else [Column(
        'reported', trained(lambda row: _UNKNOWN if row.reported is None
                            else error_text(row.reported.value)))]
    finished = all(row.status == 'done' for row in rows)
    differs = any(row.difference is not None for row in rows)
    return [
        Column('forecast', lambda row: row.name, right=False),
        *([] if finished else [Column('status', trained(lambda row: row.status), right=False)]),
        Column('trainable', trained(lambda row: count(row.record.trainable_parameters)), rank=5),
        *error(f'scaled MSE\n({split})', 'forecast/mse', 0),
        *([Column(f'minus\n{summary.baseline.name}', trained(lambda row: _minus(row, summary)))]
          if differs else []),
        *error('scaled\nMAE', 'forecast/mae', 1),
        *error('MSE, original\nunits', 'forecast/mse_original', 3),
        *error('MAE, original\nunits', 'forecast/mae_original', 4),
        *error('MASE', 'forecast/mase', 6),
        *error('sMAPE', 'forecast/smape', 8),
        *error('scaled\nCRPS', 'quantile/crps', 7),
        Column('windows', lambda row: count(row.samples)),
        *reported,
        Column('seconds', trained(lambda row: seconds_text(row.seconds)), rank=2),
        Column('windows/s', trained(lambda row: _UNKNOWN if row.images_per_second is None
                                    else f'{row.images_per_second:,.0f}'), rank=10),
        Column('epochs', trained(_epochs), rank=9),
        Column('best', trained(_best_epoch), rank=12),
        Column('seeds', trained(lambda row: str(len(row.group.runs))), rank=11),
    ]


def _error_cell(row: 'Row | SimpleRow', metric: str, summary: 'Summary') -> str:
    """A mean error, with its spread over seeds where there are several."""
    from amlnn.results.simple_methods import SimpleRow
    if isinstance(row, SimpleRow):
        return error_text(row.metrics.get(metric))
    value = (row.value, row.sd) if metric == summary.metric else \
        row.over_seeds(metric, summary.split)
    if value is None or value[0] is None:
        return _UNKNOWN
    return error_text(value[0]) + (f' ± {error_text(value[1])}' if value[1] is not None else '')


def error_text(value: float | None) -> str:
    """An error as a table shows it: four digits.

    >>> error_text(0.37), error_text(12.3456), error_text(123456.7), error_text(0.0000123)
    ('0.3700', '12.35', '123,457', '1.23e-05')
    """
    if value is None:
        return _UNKNOWN
    if value >= 1000:
        return f'{value:,.0f}'
    if 0 < value < 1e-3:
        return f'{value:.3g}'
    return f'{value:.{4 if value < 1 else 3 if value < 10 else 2 if value < 100 else 1}f}'


def terminal_columns(summary: 'Summary', width: int) -> tuple[list[Column], list[str]]:
    """Return the columns that fit into `width` characters, and the titles of those that do not."""
    columns = comparison_columns(summary)
    dropped = []
    while _width(columns, summary) > width and any(column.rank for column in columns):
        least = max(columns, key=lambda column: column.rank)
        columns.remove(least)
        dropped.append(least.title)
    return columns, [' '.join(title.split()) for title in reversed(dropped)]


def rich_table(summary: 'Summary', columns: Sequence[Column] | None = None) -> 'Table':
    """Return the table for `rich.console.Console.print`."""
    from rich import box
    from rich.table import Table
    from rich.text import Text
    columns = comparison_columns(summary) if columns is None else columns
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(Text(column.title), justify='right' if column.right else 'left',
                         no_wrap=column.right, vertical='bottom')
    for row in summary.table_rows:
        # Text, not str: a name like `[red]` is a name, not a style.
        table.add_row(*(Text(column.cell(row)) for column in columns),
                      style='bold' if row is summary.baseline else '')
    return table


def markdown_table(summary: 'Summary', columns: Sequence[Column] | None = None) -> str:
    """Return the table as GitHub's Markdown, its columns padded so that it reads as text too."""
    columns = comparison_columns(summary) if columns is None else columns
    cells = [[escape_markdown(column.title) for column in columns],
             *([escape_markdown(column.cell(row)) for column in columns]
               for row in summary.table_rows)]
    widths = [max(3, *(len(line[index]) for line in cells)) for index in range(len(columns))]
    lines = []
    for number, line in enumerate(cells):
        padded = [text.rjust(width) if column.right else text.ljust(width)
                  for text, width, column in zip(line, widths, columns, strict=True)]
        lines.append(f'| {" | ".join(padded)} |')
        if number == 0:
            rules = ['-' * (width - 1) + (':' if column.right else '-')
                     for width, column in zip(widths, columns, strict=True)]
            lines.append(f'| {" | ".join(rules)} |')
    return '\n'.join(lines) + '\n'


def html_table(summary: 'Summary', links: dict[str, str] | None = None) -> str:
    """Return the table as HTML, every name escaped.

    Args:
        summary: What to show.
        links: Row name to the id of its section on the page.
    """
    links = links or {}
    columns = comparison_columns(summary)
    head = ''.join(f'<th scope="col"{_css(column)}>{_lines(column.title)}</th>'
                   for column in columns)
    lines = []
    for row in summary.table_rows:
        cells = []
        for index, column in enumerate(columns):
            text = html.escape(column.cell(row))
            if index == 0:
                text = text.replace('_', '_<wbr>')  # where a narrow screen may break a name
                if row.name in links:
                    text = f'<a href="#{html.escape(links[row.name])}">{text}</a>'
                cells.append(f'<th scope="row">{text}</th>')
            else:
                cells.append(f'<td{_css(column)}>{text}</td>')
        mark = ' class="baseline"' if row is summary.baseline and len(summary.rows) > 1 else \
            ' class="simple"' if any(row is simple for simple in summary.simple) else ''
        lines.append(f'<tr{mark}>{"".join(cells)}</tr>')
    body = '\n'.join(lines)
    return (f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n'
            f'<tbody>\n{body}\n</tbody>\n</table></div>\n')


def count(value: int | None) -> str:
    """A whole number with thousands separators.

    >>> count(23974600), count(None)
    ('23,974,600', '–')
    """  # noqa: RUF002
    return _UNKNOWN if value is None else f'{value:,}'


def seconds_text(value: float | None) -> str:
    """Seconds as a table shows them: three digits at least.

    >>> seconds_text(4.25), seconds_text(31.46), seconds_text(12345.6)
    ('4.25', '31.5', '12,346')
    """
    if value is None:
        return _UNKNOWN
    return f'{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}'


def _frozen(value: int | str | None) -> str:
    if value is None:
        return _UNKNOWN
    return {-1: 'nothing', 0: 'stem', 'all': 'all'}.get(value, f'stem + {value}')


def _number(value: float, metric: str) -> str:
    return f'{value:.2f}' if metric_label(metric).endswith('(%)') else f'{value:.4g}'


def _value(row: 'Row', metric: str) -> str:
    if row.value is None:
        return _UNKNOWN
    spread = f' ± {_number(row.sd, metric)}' if row.sd is not None else ''
    return _number(row.value, metric) + spread


def _interval(row: 'Row') -> str:
    return _UNKNOWN if row.low is None else f'{row.low:.2f} to {row.high:.2f}'


def _minus(row: 'Row', summary: 'Summary') -> str:
    if row is summary.baseline:
        return 'baseline'
    return _UNKNOWN if row.difference is None else _signed(row.difference.value, summary.metric)


def _minus_interval(row: 'Row') -> str:
    difference = row.difference
    if difference is None or difference.low is None:
        return _UNKNOWN
    mark = '†' if difference.method == 'unpaired' else ''
    return f'{difference.low:+.2f} to {difference.high:+.2f}{mark}'


def _signed(value: float, metric: str) -> str:
    return f'{value:+.2f}' if metric_label(metric).endswith('(%)') else f'{value:+.4g}'


def difference_text(difference: 'Difference', metric: str) -> str:
    """A difference with its sign and interval: '+0.53 (-0.31 to +1.37)'."""
    value = _signed(difference.value, metric)
    if difference.low is None:
        return value
    return f'{value} ({difference.low:+.2f} to {difference.high:+.2f})'


def _epochs(row: 'Row') -> str:
    done = sorted({len(record.epochs) for record in row.records})
    planned = {record.max_epochs for record in row.records}
    text = f'{done[0]}' if len(done) == 1 else f'{done[0]}-{done[-1]}'
    if len(planned) == 1 and None not in planned and done != [planned.copy().pop()]:
        text += f' of {planned.pop()}'
    return text


def _best_epoch(row: 'Row') -> str:
    best = sorted({record.best_epoch for record in row.records if record.best_epoch is not None})
    return ', '.join(map(str, best)) or _UNKNOWN


def _width(columns: Sequence[Column], summary: 'Summary') -> int:
    # Between two columns lie three spaces; the table's own edge is two more.
    return 3 * len(columns) - 1 + sum(
        max(*map(len, column.title.split('\n')), *(len(column.cell(row))
                                                       for row in summary.table_rows))
        for column in columns)


def escape_markdown(text: str) -> str:
    """Return text that Markdown shows as it is: no tags, no emphasis, one line.

    >>> print(escape_markdown('resnet50_frozen3 <b> *x*'))
    resnet50_frozen3 \\<b\\> \\*x\\*
    """
    # An underscore inside a word is no emphasis: `resnet50_frozen3` stays readable as text.
    text = re.sub(r'[\\`*<>|\[\]~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])', r'\\\g<0>', text)
    return ' '.join(text.split())


def _lines(title: str) -> str:
    return html.escape(title).replace('\n', '<br>')


def _css(column: Column) -> str:
    return ' class="number"' if column.right else ''
