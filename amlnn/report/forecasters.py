"""Forecasters on the page: errors beside simple methods, forecasts against the truth."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from amlnn.errors import DataError
from amlnn.records import TRUTH
from amlnn.report.blocks import Block, Heading, Picture, Text, picture
from amlnn.report.columns import (
    UNKNOWN,
    Column,
    best_epoch_text,
    count,
    epochs_text,
    error_text,
    minus_text,
    seconds_text,
    share_text,
)
from amlnn.report.figures import metric_label, metric_text
from amlnn.report.forecasting import draw_components, draw_error_by_step, draw_forecasts
from amlnn.report.held import held_table
from amlnn.report.panels import draw_series, series_listing, weights_text
from amlnn.report.presented import Presented
from amlnn.results.forecasting import error_by_step, find_intervals, reference_errors
from amlnn.results.panels import panel_errors
from amlnn.results.simple_methods import SimpleRow
from amlnn.results.store import StoredRun

if TYPE_CHECKING:
    from amlnn.results.summary import Row, Summary

__all__ = ['Forecasters']

class Forecasters(Presented):
    """Compared by error, with the rows of simple methods below."""

    def columns(self, summary: 'Summary') -> list[Column]:
        """Errors and windows, which simple methods have too; cost, which only forecasters have."""
        rows, split = summary.rows, summary.split

        def trained(cell: Callable[['Row'], str]) -> Callable[['Row | SimpleRow'], str]:
            return lambda row: cell(row) if not isinstance(row, SimpleRow) else ''

        def error(title: str, metric: str, rank: int, text: Callable[[float | None], str]
                  = error_text) -> list[Column]:
            cells = {id(row): _error_cell(row, metric, summary, text)
                     for row in summary.table_rows}
            known = any(cell != UNKNOWN for cell in cells.values())
            return [Column(title, lambda row: cells[id(row)], rank=rank)] if known else []

        reported = [] if not any(row.reported is not None for row in rows) else [Column(
            'reported', trained(lambda row: UNKNOWN if row.reported is None
                                else error_text(row.reported.value)))]
        finished = all(row.status == 'done' for row in rows)
        differs = any(row.difference is not None for row in rows)
        return [
            Column('forecast', lambda row: row.name, right=False),
            *([] if finished else [Column('status', trained(lambda row: row.status), right=False)]),
            Column('trainable', trained(lambda row: count(row.record.trainable_parameters)),
                   rank=5),
            *error(f'scaled MSE\n({split})', 'forecast/mse', 0),
            *([Column(f'minus\n{summary.baseline.name}',
                      trained(lambda row: minus_text(row, summary)))] if differs else []),
            *error('scaled\nMAE', 'forecast/mae', 1),
            *error('MSE, original\nunits', 'forecast/mse_original', 3),
            *error('MAE, original\nunits', 'forecast/mae_original', 4),
            *error('WAPE', 'forecast/wape', 3),
            *error('scaled MAE,\neach series once', 'forecast/series_mae', 2),
            *error('MASE', 'forecast/mase', 6),
            *error('sMAPE', 'forecast/smape', 8),
            *error('scaled\nCRPS', 'quantile/crps', 7),
            *error('held by\n80 %', 'interval/coverage_80', 5, share_text),
            *error('width of\n80 %', 'interval/width_80', 7),
            *error('score of\n80 %', 'interval/winkler_80', 7),
            *error('held by\n95 %', 'interval/coverage_95', 8, share_text),
            *error('CRPS of\nintervals', 'interval/crps', 6),
            Column('windows', lambda row: count(row.samples)),
            *reported,
            Column('seconds', trained(lambda row: seconds_text(row.seconds)), rank=2),
            Column('windows/s', trained(lambda row: UNKNOWN if row.samples_per_second is None
                                        else f'{row.samples_per_second:,.0f}'), rank=10),
            Column('epochs', trained(epochs_text), rank=9),
            Column('best', trained(best_epoch_text), rank=12),
            Column('seeds', trained(lambda row: str(len(row.group.runs))), rank=11),
        ]

    def heading(self, summary: 'Summary', tables: int) -> str:
        """What is forecast."""
        return f'Forecasts of {summary.data}'

    def finding(self, summary: 'Summary') -> str:
        """The best forecaster beside the best simple method and, if it is known, the truth."""
        rows = [row for row in summary.rows if row.value is not None and row.status == 'done']
        simple = [row for row in summary.simple if summary.metric in row.metrics]
        # The truth without noise is no forecast: nobody has it.
        methods = [row for row in simple if not row.name.startswith(TRUTH) and not row.sampled]
        if not rows or not methods:
            return ''
        best = min(rows, key=lambda row: row.value)
        method = min(methods, key=lambda row: row.metrics[summary.metric])
        label = metric_label(summary.metric)
        found = metric_text(summary.metric, best.value)
        text = f'{label} on {summary.split}: {best.name} {found}'
        if len(rows) > 1:
            text = f'{best.name} has the least {label} of {len(rows)} configurations on ' \
                   f'{summary.split}, {found}'
        value = method.metrics[summary.metric]
        text += f'; the best simple method, {method.name},' \
                f'{" errs less:" if value < best.value else ""} ' \
                f'{metric_text(summary.metric, value)}'
        for row in simple:
            if row.name == TRUTH:
                text += f'; the truth without noise, ' \
                        f'{metric_text(summary.metric, row.metrics[summary.metric])}'
        return f'{text} ({count(best.samples)} windows).{_two_weights(best, summary.split)}'

    def cost_options(self, summary: 'Summary') -> dict:
        """Bars are a spread over seeds; simple methods are lines."""
        spread = any(row.sd is not None for row in summary.rows)
        return {'bars': 'standard deviation over seeds' if spread else 'none, one seed each',
                'references': _references(summary)}

    def pictures(self, summary: 'Summary', folder: Path, ending: str) -> list[Picture]:
        """Error by step ahead, and what a generated series is made of."""
        steps = [] if len(summary.rows) < 2 else \
            _step_picture(folder / f'steps{ending}.png', summary)
        return steps + _components_picture(folder / f'components{ending}.png', summary)

    def details(self, run: StoredRun, title: str, split: str, stem: Path) -> list[Block]:
        """Forecasts against the truth, and their error by step ahead."""
        split = next((name for name in (split, 'test', 'val') if run.has_predictions(name)), split)
        if not run.has_predictions(split):
            return [Text('No forecasts are stored for this run.', 'quiet')]
        try:
            forecasts = run.forecasts(split)
        except DataError as error:
            return [Text(error.message, 'error')]
        windows = f'{len(forecasts.ids):,} window{"s" * (len(forecasts.ids) != 1)}'
        if forecasts.names:
            windows += f' of {len(forecasts.names):,} series'
        intervals = find_intervals(run, split)
        panel = panel_errors(forecasts, run.tests.get(split))
        draw_windows = partial(draw_forecasts, forecasts) if panel is None else \
            partial(draw_series, forecasts, panel)
        blocks: list[Block] = [
            Heading(f'Forecasts on {split}'),
            Text(f'{windows}, {forecasts.horizon:,} step{"s" * (forecasts.horizon != 1)} ahead of '
                 f'{_listed(forecasts.columns)}: mean squared error '
                 f'{metric_text("forecast/mse", forecasts.mse)} in scaled units.'),
            picture(Path(f'{stem}_forecasts.png'),
                    partial(draw_windows, intervals, title=f'{title} on {split}'),
                    f'Forecasts of {title} on {split} against the truth, {windows}',
                    _intervals_text(run, split, bool(intervals)))]
        if intervals:
            blocks.append(held_table(forecasts, intervals))
        if panel is not None:
            blocks.append(series_listing(panel, Path(f'{stem}_series.csv')))
        if forecasts.horizon > 1:
            draw = partial(draw_error_by_step, [(title, error_by_step(forecasts))],
                           references=reference_errors(forecasts), windows=len(forecasts.ids))
            blocks.append(picture(Path(f'{stem}_steps.png'), draw,
                                  f'Error by step ahead of {title} on {split}'))
        return blocks


def _two_weights(row: 'Row', split: str) -> str:
    """Of a panel: the error with large series counting most, and with each counting once."""
    weighted, once = (row.over_seeds(f'forecast/{name}', split) for name in ('wape', 'series_mae'))
    if weighted is None or once is None:
        return ''
    return f' {weights_text(weighted[0], once[0])}'


def _error_cell(row: 'Row | SimpleRow', metric: str, summary: 'Summary',
                text: Callable[[float | None], str]) -> str:
    """A mean error, with its spread over seeds where there are several."""
    if isinstance(row, SimpleRow):
        return text(row.metrics.get(metric))
    value = (row.value, row.sd) if metric == summary.metric else \
        row.over_seeds(metric, summary.split)
    if value is None or value[0] is None:
        return UNKNOWN
    return text(value[0]) + (f' ± {text(value[1])}' if value[1] is not None else '')


def _components_picture(path: Path, summary: 'Summary') -> list[Picture]:
    """What the series is made of, if it is generated: all runs of a table have the same."""
    for run in summary.runs:
        try:
            found = run.components()
        except DataError as error:
            summary.notes.append(f'{run.name}: {error.message}.')
            continue
        if found is not None:
            more = f', {found.columns[0]} of {len(found.columns)}' if len(found.columns) > 1 else ''
            data = summary.data.partition(',')[0]
            draw = partial(draw_components, found.parts, times=found.times, borders=found.borders,
                           title=f'What {data} is made of{more}')
            return [picture(path, draw, f'Components of {data}',
                            'Blue: the truth without noise. Orange: what chance adds to it.')]
    return []


def _references(summary: 'Summary') -> dict[str, float]:
    """Simple methods that leave the figure its scale: none that errs over twice the worst run."""
    worst = max(row.value for row in summary.rows if row.value is not None)
    found = {row.name: row.metrics[summary.metric] for row in summary.simple
             if summary.metric in row.metrics and not row.sampled}
    return {name: value for name, value in found.items() if value <= 2 * worst}


def _step_picture(path: Path, summary: 'Summary') -> list[Picture]:
    """Error by step ahead of each configuration's first seed, where its forecasts are stored."""
    known = []
    for row in summary.rows:
        try:
            known.append((row.name, row.group.runs[0].forecasts(summary.split)))
        except DataError:
            continue
    horizons = {forecasts.horizon for _, forecasts in known}
    if len(known) < 2 or len(horizons) != 1 or horizons == {1}:
        return []
    draw = partial(draw_error_by_step, [(name, error_by_step(each)) for name, each in known],
                   references=reference_errors(known[0][1]), windows=len(known[0][1].ids))
    return [picture(path, draw, f'Error by step ahead on {summary.split} of {len(known)} '
                                'configurations')]


def _listed(columns: Sequence[str]) -> str:
    more = f' and {len(columns) - 8} more' if len(columns) > 8 else ''
    return ', '.join(columns[:8]) + more


def _intervals_text(run: StoredRun, split: str, drawn: bool) -> str:
    """What the intervals are, and what they held."""
    if not drawn:
        return ''
    first = 'the first windows have the margins of all errors here' if split == 'val' else \
        'the first windows have those of the validation part'
    metrics = run.tests[split].metrics if split in run.tests else {}
    held = [f'{100 * value:.1f} % of the values lie in the {name.rpartition("_")[2]} % interval'
            for name, value in metrics.items() if name.startswith('interval/coverage_')]
    return '; '.join(['Intervals: conformal, from the newest errors that were known when a window '
                      f'was forecast, where {first}', *held]) + '.'
