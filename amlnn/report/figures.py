"""Figures of any kind of run: training curves, several runs in one figure, result against cost."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from amlnn.formulas.digits import shown
from amlnn.records import EpochRecord, RunRecord
from amlnn.report.canvas import (
    COLOURS,
    INK,
    MUTED,
    NARROW,
    WRONG,
    any_name,
    fit_scale,
    heading,
    new_figure,
    plain_number,
    save,
    shorten,
    style_axes,
    whole_epochs,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ['CostPoint', 'draw_comparison', 'draw_cost', 'draw_curves', 'metric_label',
           'metric_text']

_TRAIN, _VAL = COLOURS[0], COLOURS[1]

_FORECAST_LABELS = {
    'forecast/mse': 'scaled MSE', 'forecast/mae': 'scaled MAE', 'forecast/mse_original': 'MSE',
    'forecast/mae_original': 'MAE', 'forecast/mase': 'MASE', 'forecast/smape': 'sMAPE',
    'forecast/wape': 'WAPE', 'forecast/series_mae': 'scaled MAE, each series once',
    'quantile/crps': 'scaled CRPS', 'interval/crps': 'scaled CRPS of the intervals',
    'val_loss': 'loss'}


@dataclass(frozen=True)
class CostPoint:
    """One point of `draw_cost`: a configuration, its cost and its result with an interval."""

    name: str
    seconds: float
    value: float
    low: float
    high: float
    finished: bool = True


def metric_label(name: str | None) -> str:
    """Return the metric's name as an axis shows it.

    >>> metric_label('accuracy/top1'), metric_label('forecast/mse'), metric_label('other')
    ('top-1 accuracy (%)', 'scaled MSE', 'other')
    """
    if name is None:
        return 'metric'
    if name.startswith('accuracy/top'):
        return f'top-{name.removeprefix("accuracy/top")} accuracy (%)'
    if name.startswith('superclass/top'):
        return f'top-{name.removeprefix("superclass/top")} superclass accuracy (%)'
    if name.startswith('present/top'):
        return f'top-{name.removeprefix("present/top")} accuracy among present classes (%)'
    if name.startswith('single-label/'):
        return f'{name.removeprefix("single-label/")} (%)'
    if name.startswith('interval/') and name not in _FORECAST_LABELS:
        what, _, level = name.removeprefix('interval/').partition('_')
        return f'{what} of the {level} % interval'
    return _FORECAST_LABELS.get(name, name)


def metric_text(name: str | None, value: float | None) -> str:
    """Return a metric's value as a sentence shows it.

    >>> metric_text('accuracy/top1', 96.4789), metric_text('mse', 0.00123456)
    ('96.48 %', '0.001235')
    """
    if value is None or not math.isfinite(value):
        return 'not known'
    return f'{value:.2f} %' if metric_label(name).endswith('(%)') else shown(value)


def draw_curves(record: RunRecord, path: Path | str | None, narrow: bool = False) -> 'Figure':
    """Draw losses, the monitored validation metric and the learning rate of one run by epoch.

    Whatever the record lacks is left out: a run without validation has two panels, a run that
    ended before its first epoch a sentence. Epochs whose loss is not finite are gaps, marked on
    the axis. The loss axis is logarithmic where the largest loss is over fifty times the smallest.

    Args:
        record: The run, at any status.
        path: Where the PNG goes; it appears whole or not at all. None to write none.
        narrow: Whether the panels stand below one another, as a narrow screen needs them.

    Returns:
        The figure, for those who show it in another form.
    """
    metric = _curve_metric(record)
    widths = [4, 4, 2.2] if metric else [5, 2.2]
    figure = new_figure(11.4 if metric else 8.2, 3.9 if record.epochs else 1.8)
    if narrow:
        figure.set_size_inches(NARROW, 0.8 + 2.3 * len(widths) if record.epochs else 1.8)
    heading(figure, record.config_name, _subtitle(record, metric))
    if not record.epochs:
        axes = figure.subplots()
        axes.axis('off')
        axes.text(0.5, 0.5, 'no epoch finished', ha='center', va='center', fontsize=12, color=MUTED)
        save(figure, path)
        return figure
    panels = figure.subplots(len(widths)) if narrow else \
        figure.subplots(1, len(widths), width_ratios=widths)
    _loss_panel(panels[0], record)
    if metric:
        _metric_panel(panels[1], record, metric)
    _rate_panel(panels[-1], record)
    for axes in panels:
        whole_epochs(axes, max(epoch.epoch for epoch in record.epochs))
    save(figure, path)
    return figure


def draw_comparison(records: Sequence[tuple[str, Sequence[RunRecord]]], path: Path | str | None,
                    narrow: bool = False) -> 'Figure':
    """Draw the validation metric and the training loss of several runs over their epochs.

    Args:
        records: (label, runs) pairs: a colour is a configuration, a line one of its seeds. Runs
            without an epoch are left out of the figure.
        path: Where the PNG goes, or None.
        narrow: As of `draw_curves`.
    """
    shown = [(label, trained) for label, runs in records
             if (trained := [record for record in runs if record.epochs])]
    longest = max((len(shorten(label, 40)) for label, _ in shown), default=0)
    across = 1 if narrow else 4 if longest < 28 else 3
    rows = math.ceil(len(shown) / across)
    figure = new_figure(*((NARROW, 5.4) if narrow else (11.4, 4.2)))
    figure.set_figheight(figure.get_figheight() + 0.22 * rows)
    heading(figure, 'Runs compared')
    metrics = {metric for _, runs in shown for record in runs
               if (metric := _curve_metric(record))}
    metric = sorted(metrics)[0] if metrics else None
    count = 2 if metric else 1
    panels = figure.subplots(*((count, 1) if narrow else (1, count)), squeeze=False).flat
    if metric:
        style_axes(panels[0], f'Validation {metric_label(metric)}', xlabel='epoch')
        _scale_metric(panels[0], metric)
    style_axes(panels[-1], 'Training loss', xlabel='epoch')
    losses = []
    handles = []
    for index, (label, runs) in enumerate(shown):
        # After eight colours the dashes change: 24 runs stay distinguishable.
        look = {'color': COLOURS[index % len(COLOURS)],
                'linestyle': ('-', (0, (5, 2)), (0, (1.5, 1.5)))[index // len(COLOURS) % 3]}
        for number, record in enumerate(runs):
            if metric:
                values = [epoch.metrics.get(metric) for epoch in record.epochs]
                _line(panels[0], record.epochs, values, **look)
            loss = [epoch.train_loss for epoch in record.epochs]
            losses += loss
            named = {} if number else {'label': shorten(label, 40)}
            lines = _line(panels[-1], record.epochs, loss, **named, **look)
            handles += [] if number else lines
    last = max((epoch.epoch for _, runs in shown for record in runs for epoch in record.epochs),
               default=1)
    for axes in panels:
        whole_epochs(axes, last)
    fit_scale(panels[-1], losses)
    if handles:
        figure.legend(handles=handles, loc='outside lower left', ncols=min(across, len(handles)),
                      frameon=False, fontsize=8.5, labelcolor=INK)
    save(figure, path)
    return figure


def draw_cost(points: Sequence[CostPoint], metric: str, path: Path | str | None,
              bars: str = '95 % interval over the images',
              references: Mapping[str, float] | None = None, narrow: bool = False) -> 'Figure':
    """Draw the result of each configuration against the seconds of training it took.

    Args:
        points: Seconds of training; value and interval in the metric's unit.
        metric: The metric's name, for the axis.
        path: Where the PNG goes, or None.
        bars: What `low` and `high` of the points are.
        references: Results of methods that are not trained, by name, drawn as dashed lines.
        narrow: Whether it is for a narrow screen.
    """
    from matplotlib.ticker import FuncFormatter
    figure = new_figure(NARROW if narrow else 8.2, max(4.6, 3.2 + 0.17 * len(points)))
    letters = 22 if narrow else 34
    hollow = '' if all(point.finished for point in points) else '; hollow: not finished'
    heading(figure, 'Result against cost',
            f'bars: {bars}; left is cheaper{hollow}')
    axes = figure.subplots()
    style_axes(axes, xlabel='training, seconds', ylabel=metric_label(metric))
    for index, point in enumerate(points):
        colour = COLOURS[index % len(COLOURS)]
        bars = [[max(point.value - point.low, 0)], [max(point.high - point.value, 0)]]
        axes.errorbar(point.seconds, point.value, yerr=bars, color=colour, marker='o',
                      markersize=7, linewidth=1.6, capsize=3,
                      markerfacecolor=colour if point.finished else 'white',
                      markeredgecolor='white' if point.finished else colour)
    seconds = [point.seconds for point in points if point.seconds > 0]
    if seconds and max(seconds) / min(seconds) > 20 and len(seconds) == len(points):
        axes.set_xscale('log')
        axes.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: ''))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:,.6g}'))
    if narrow and axes.get_xscale() == 'linear':
        axes.locator_params(axis='x', nbins=5)
    for place, (name, value) in enumerate(sorted((references or {}).items(),
                                                 key=lambda pair: pair[1])):
        axes.axhline(value, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        # The lowest below its line, where the next cannot lie.
        axes.annotate(shorten(name, letters), (0, value), xycoords=('axes fraction', 'data'),
                      xytext=(3, 2 if place else -2), va='bottom' if place else 'top',
                      textcoords='offset points', fontsize=8, color=MUTED)
    axes.margins(x=0.16, y=0.12)
    if axes.get_xscale() == 'linear':
        axes.set_xlim(left=max(axes.get_xlim()[0], 0))
    _scale_metric(axes, metric)
    _place_labels(axes, points, letters)
    save(figure, path)
    return figure


def _subtitle(record: RunRecord, metric: str | None) -> str:
    parts = []
    if record.best_value is not None:
        parts.append(f'best {metric_label(record.monitor).removesuffix(" (%)")} '
                     f'{metric_text(record.monitor, record.best_value)}')
        if record.best_epoch is not None:
            parts[-1] += f' at epoch {record.best_epoch}'
    elif record.epochs and not metric:
        parts.append('no validation')
    done, planned = len(record.epochs), record.max_epochs
    epochs = f'{done} of {planned} epochs' if planned and planned != done else \
        f'{done} epoch{"s" * (done != 1)}'
    parts.append(epochs + (', stopped early' if record.stopped_early else ''))
    if record.status != 'done':
        parts.append(record.status)
    return '  ·  '.join(parts)


def _curve_metric(record: RunRecord) -> str | None:
    """The validation metric to draw: the monitored one if it was measured, else a usual one."""
    measured = {name for epoch in record.epochs for name, value in epoch.metrics.items()
                if _finite(value)}
    for name in (record.monitor, 'accuracy/top1'):
        if name in measured:
            return name
    return min(measured, default=None)


def _loss_panel(axes, record: RunRecord) -> None:
    style_axes(axes, 'Loss', xlabel='epoch')
    epochs = record.epochs
    train = [epoch.train_loss for epoch in epochs]
    val = [epoch.val_loss for epoch in epochs]
    _line(axes, epochs, train, color=_TRAIN, label='training')
    if any(map(_finite, val)):
        _line(axes, epochs, val, color=_VAL, label='validation')
    fit_scale(axes, train + val)
    bad = [epoch.epoch for epoch in epochs if not _finite(epoch.train_loss)]
    if bad:
        axes.plot(bad, [0.02] * len(bad), 'x', color=WRONG, markersize=7, markeredgewidth=2,
                  transform=axes.get_xaxis_transform(), clip_on=False,
                  label='training loss not finite')
    if len(axes.get_legend_handles_labels()[1]) > 0:
        axes.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc='best')


def _metric_panel(axes, record: RunRecord, metric: str) -> None:
    style_axes(axes, f'Validation {metric_label(metric)}', xlabel='epoch')
    values = [epoch.metrics.get(metric) for epoch in record.epochs]
    _line(axes, record.epochs, values, color=_VAL)
    finite = [value for value in values if _finite(value)]
    spread = max(finite) - min(finite)
    # A flat curve must look flat: the axis never zooms into less than this.
    room = max(0.18 * spread, 0.02 * abs(max(finite)), 1e-9)
    axes.set_ylim(min(finite) - room, max(finite) + 1.3 * room)
    _scale_metric(axes, metric)
    best = [(epoch.epoch, value) for epoch, value in zip(record.epochs, values, strict=True)
            if epoch.epoch == record.best_epoch and _finite(value)]
    if best and metric == record.monitor:
        last = max(epoch.epoch for epoch in record.epochs)
        epoch, value = best[0]
        axes.plot(epoch, value, 'o', markersize=10, markerfacecolor='none', markeredgecolor=INK,
                  markeredgewidth=1.4, zorder=5)
        side = 'left' if epoch < 0.25 * last else 'right' if epoch > 0.75 * last else 'center'
        side = 'center' if last == 1 else side
        upward = record.monitor_rule != 'less'
        axes.annotate(f'best {metric_text(metric, value)}', (epoch, value),
                      textcoords='offset points',
                      xytext=({'left': -4, 'right': 4}.get(side, 0), 9 if upward else -9),
                      ha=side, va='bottom' if upward else 'top', fontsize=8.5, color=INK)


def _rate_panel(axes, record: RunRecord) -> None:
    style_axes(axes, 'Learning rate', xlabel='epoch')
    rates = [epoch.learning_rate for epoch in record.epochs]
    _line(axes, record.epochs, rates, color=COLOURS[2])
    finite = [rate for rate in rates if _finite(rate)]
    if finite and max(finite) == min(finite):  # constant: show it in the middle, above zero
        top = 2 * finite[0] or 1.0
        axes.set_ylim(0, top)
    fit_scale(axes, rates)


def _line(axes, epochs: Sequence[EpochRecord], values: Sequence[float | None], **look) -> list:
    """Draw the finite values; markers where a line alone could not be seen."""
    points = [(epoch.epoch, value) for epoch, value in zip(epochs, values, strict=True)
              if value is not None]
    x, y = zip(*points, strict=True) if points else ((), ())
    y = [value if _finite(value) else math.nan for value in y]
    marks = {'marker': 'o', 'markersize': 5 if len(x) <= 12 else 3} if len(x) <= 40 else {}
    return axes.plot(x, y, linewidth=1.8, markeredgewidth=0, **marks, **look)


def _scale_metric(axes, metric: str) -> None:
    """Few ticks, plain numbers, and none above 100 %."""
    from matplotlib.ticker import FuncFormatter
    percent = metric_label(metric).endswith('(%)')
    axes.locator_params(axis='y', nbins=6)
    axes.yaxis.set_major_formatter(FuncFormatter(
        lambda value, _: '' if percent and value > 100 else plain_number(value)))


def _place_labels(axes, points: Sequence[CostPoint], letters: int) -> None:
    """Write each point's name where it meets no other name, point or bar, nearest place first.

    A name that had to move away is tied to its point by a thin line.
    """
    from matplotlib.transforms import Bbox
    figure = axes.figure
    texts = [axes.annotate(shorten(point.name, letters), (point.seconds, point.value),
                           xytext=(9, 0), textcoords='offset points', va='center', fontsize=8.5,
                           color=INK, in_layout=False) for point in points]
    with any_name(figure):
        figure.draw_without_rendering()
        boxes = [text.get_window_extent(figure.canvas.get_renderer()) for text in texts]
    frame = axes.get_window_extent()
    pixel = figure.dpi / 72
    taken = []
    spots = []
    for point in points:
        (x, y), (_, low), (_, high) = axes.transData.transform(
            [(point.seconds, value) for value in (point.value, point.low, point.high)])
        spots.append((x, y))
        taken.append(Bbox.from_extents(x - 5 * pixel, y - 5 * pixel, x + 5 * pixel, y + 5 * pixel))
        taken.append(Bbox.from_extents(x - 4 * pixel, low - 3 * pixel, x + 4 * pixel,
                                       high + 3 * pixel))
    for index, (point, (x, y)) in enumerate(zip(points, spots, strict=True)):
        text, box = texts[index], boxes[index]
        fewest = math.inf
        for dx, dy in _places():
            left = x + dx * pixel if dx > 0 else x + dx * pixel - box.width
            bottom = y + dy * pixel - box.height / 2
            place = Bbox.from_bounds(left, bottom, box.width, box.height)
            inside = (frame.x0 <= place.x0 and place.x1 <= frame.x1
                      and frame.y0 <= place.y0 and place.y1 <= frame.y1)
            # With a little room at its sides, so that two names do not read as one.
            roomy = Bbox.from_extents(place.x0 - 3 * pixel, place.y0, place.x1 + 3 * pixel,
                                      place.y1)
            clashes = sum(roomy.overlaps(other) for other in taken) + 2 * (not inside)
            if clashes < fewest:
                fewest, chosen, best = clashes, (dx, dy), place
            if clashes == 0:
                break
        text.set_position(chosen)
        text.set_horizontalalignment('left' if chosen[0] > 0 else 'right')
        taken.append(best)
        if abs(chosen[1]) > 12 or abs(chosen[0]) > 12:
            axes.annotate('', (point.seconds, point.value), xytext=chosen,
                          textcoords='offset points', zorder=1,
                          arrowprops={'arrowstyle': '-', 'linewidth': 0.7, 'shrinkB': 4,
                                      'color': COLOURS[index % len(COLOURS)]})


def _places() -> Iterable[tuple[float, float]]:
    """Offsets in points from the nearest outward, the right side first."""
    for reach in (9, 22, 40, 70, 110):
        for rise in range(0, reach + 56, 11):
            for dy in {rise, -rise}:
                yield reach, dy
                yield -reach, dy


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
