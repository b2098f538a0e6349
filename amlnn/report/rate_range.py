"""What a range test of the learning rate found: a figure, a table, and both in a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from amlnn.atomic import write_json, write_text
from amlnn.formulas.rate_range import RateRange
from amlnn.report.canvas import (
    COLOURS,
    INK,
    MUTED,
    QUIET_LINE,
    heading,
    new_figure,
    plain_number,
    save,
    style_axes,
)
from amlnn.report.tables import plain_markdown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ['chosen_rate', 'draw_rate_range', 'rate_lines', 'write_rate_range']

_ROWS = 20  # of the table; the JSON file has every step
_KEY = 'optim_wrapper.optimizer.lr'


def chosen_rate(curve: RateRange) -> float | None:
    """The suggestion in two digits, as one would write it; None where the loss never falls."""
    return None if curve.suggested is None else float(f'{curve.suggested:.1e}')


def rate_lines(curve: RateRange, configured: float) -> list[str]:
    """What a terminal says: the suggestion, and how to take it.

    Args:
        curve: The range test.
        configured: The rate of the config.
    """
    rate = chosen_rate(curve)
    if rate is None:
        return [f'the loss falls at no rate from {curve.rates[0]:.3g} to {curve.rates[-1]:.3g}: '
                'there is no suggestion', 'more --steps, or a lower --min-lr']
    found = {'where it falls fastest': curve.steepest,
             'a tenth of the rate of the least loss': curve.tenth_of_least}
    why = ', '.join(f'{words} {value:.2g}' for words, value in found.items() if value is not None)
    end = 'it diverges at' if curve.diverged else 'tried up to'
    return [f'suggested rate {rate:.2g} (the loss: {why}, {end} {curve.rates[-1]:.2g}); the config '
            f'has {configured:g}', f'--cfg-options {_KEY}={rate:.2g}']


def draw_rate_range(curve: RateRange, name: str, configured: float,
                    path: Path | str | None) -> 'Figure':
    """Draw the loss over the rate, and the rates that it speaks for.

    Args:
        curve: The range test.
        name: Of the config.
        configured: The rate that it has.
        path: Of the PNG; None to write none.
    """
    from matplotlib.ticker import FuncFormatter, NullFormatter
    figure = new_figure(7.2, 4.0)
    heading(figure, name, 'loss while the learning rate rises')
    axes = figure.subplots()
    axes.plot(curve.rates, curve.losses, color=QUIET_LINE, linewidth=0.8, label='each step')
    axes.plot(curve.rates, curve.smoothed, color=COLOURS[0], linewidth=2, label='smoothed')
    marks = (('falls fastest', curve.steepest, COLOURS[1], '-'),
             ('a tenth of the least', curve.tenth_of_least, COLOURS[2], '--'),
             ('config', configured, MUTED, ':'))
    for label, rate, colour, line in marks:
        if rate is not None and curve.rates[0] <= rate <= curve.rates[-1]:
            axes.axvline(rate, color=colour, linestyle=line, linewidth=1.4,
                         label=f'{label}: {rate:.2g}')
    axes.set_xscale('log')
    axes.xaxis.set_major_formatter(FuncFormatter(plain_number))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(*_heights(curve))
    style_axes(axes, xlabel='learning rate', ylabel='loss')
    axes.tick_params(which='minor', length=0)
    axes.legend(fontsize=8.5, frameon=False, labelcolor=INK)
    save(figure, path)
    return figure


def write_rate_range(folder: Path, curve: RateRange, name: str, configured: float,
                     facts: dict[str, object]) -> None:
    """Write `lr_finder.png`, `lr_finder.md` and `lr_finder.json`.

    Args:
        folder: Where; an earlier test in it is replaced.
        curve: The range test.
        name: Of the config.
        configured: The rate that it has.
        facts: What else the JSON file says.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draw_rate_range(curve, name, configured, folder / 'lr_finder.png')
    lines = [f'# {name}: loss while the learning rate rises', '',
             *rate_lines(curve, configured), '', _table(curve), '![loss](lr_finder.png)', '']
    write_text(folder / 'lr_finder.md', '\n'.join(lines))
    write_json(folder / 'lr_finder.json', {
        'config': name, **facts, 'configured': configured, 'suggested': chosen_rate(curve),
        'steepest': curve.steepest, 'least': curve.least, 'tenth_of_least': curve.tenth_of_least,
        'diverged': curve.diverged, 'rates': list(curve.rates), 'losses': list(curve.losses),
        'smoothed': curve.smoothed.tolist()})


def _heights(curve: RateRange) -> tuple[float, float]:
    """Such that the last losses, which leave all bounds, do not flatten the rest."""
    smooth = curve.smoothed
    low, first = float(smooth.min()), float(smooth[0])
    return low - 0.1 * abs(first - low) - 1e-3, max(first, low) + 0.6 * abs(first - low) + 1e-3


def _table(curve: RateRange) -> str:
    places: Sequence[int] = np.unique(
        np.linspace(0, len(curve.rates) - 1, _ROWS).round().astype(int)).tolist()
    return plain_markdown(
        ['step', 'rate', 'loss', 'smoothed'],
        [[str(place + 1), f'{curve.rates[place]:.3g}', f'{curve.losses[place]:.4f}',
          f'{curve.smoothed[place]:.4f}'] for place in places])
