"""Errors of a panel's forecasts, series by series, beside those of a simple method."""

import math
from dataclasses import dataclass

import numpy as np

from amlnn.formulas.panel_errors import PanelSums
from amlnn.records import OWN, TRUTH, TestRecord, is_known
from amlnn.results.forecasts import Forecasts

__all__ = ['PanelErrors', 'SeriesErrors', 'panel_errors']

# S series, N windows, P steps ahead, C columns


@dataclass(frozen=True)
class SeriesErrors:
    """What a model errs on one series."""

    place: int
    """Among the names of the panel."""
    name: str
    windows: int
    mse: float
    """In original units, as is `mae`."""
    mae: float
    scaled_mae: float
    simple: dict[str, float]
    """Mean absolute errors of simple methods in original units, as far as they are known."""
    ratio: float | None = None
    """`mae` by that of the best simple method; below 1 the model errs less."""


@dataclass(frozen=True)
class PanelErrors:
    """The series of a panel that have a window with a target, the worst first."""

    series: list[SeriesErrors]
    simple: str | None
    """The best simple method: of those known for every series it errs least, each counted once."""
    without: int
    """Series that have no such window."""
    wape: float
    """Absolute errors by absolute values, both summed up over all: the large series count most."""
    scaled_mae: float
    """The mean over series: every series counts once."""

    @property
    def typical(self) -> list[tuple[str, SeriesErrors]]:
        """The worst, the median and the best series, as far as they are not the same."""
        found: dict[int, tuple[str, SeriesErrors]] = {}
        for name, row in (('worst', 0), ('best', -1), ('median', len(self.series) // 2)):
            found.setdefault(self.series[row].place, (name, self.series[row]))
        order = ('worst', 'median', 'best')
        return sorted(found.values(), key=lambda each: order.index(each[0]))


def panel_errors(forecasts: Forecasts, test: TestRecord | None = None) -> PanelErrors | None:
    """Errors by series, sorted by the ratio to the best simple method, or by the scaled error.

    Args:
        forecasts: Of a panel.
        test: The record of the same evaluation, which knows the simple methods.

    Returns:
        None of a single series, and where no target is there.

    >>> panel = panel_errors(tiny_panel())
    >>> [(each.name, each.windows, each.mae) for each in panel.series], panel.scaled_mae
    ([('b', 1, 4.0), ('a', 2, 1.0)], 2.5)
    """
    if forecasts.places is None:
        return None
    sums, places = PanelSums(len(forecasts.names)), forecasts.places
    sums.add(forecasts.forecasts, forecasts.targets.astype(np.float64), forecasts.observed, places,
             forecasts.mean[places], forecasts.deviation[places])
    windows, (scaled, mae, mse) = sums.windows, sums.means()
    there = np.flatnonzero(~np.isnan(scaled))
    if not len(there):
        return None
    simple = {} if test is None else _simple_errors(test, windows, there)
    best = _best(simple, forecasts.deviation.mean(axis=1)[there])
    found = []
    for row, place in enumerate(there.tolist()):
        own = float(mae[place])
        others = {name: float(each[row]) for name, each in simple.items()}
        found.append(SeriesErrors(place, forecasts.names[place], int(windows[place]),
                                  float(mse[place]), own, float(scaled[place]), others,
                                  None if best is None else _ratio(own, others[best])))
    found.sort(key=lambda each: -(each.scaled_mae if each.ratio is None else each.ratio))
    return PanelErrors(found, best, len(windows) - len(there), _ratio(*sums.totals),
                       float(scaled[there].mean()))


def _simple_errors(test: TestRecord, windows: np.ndarray, there: np.ndarray
                   ) -> dict[str, np.ndarray]:
    """Mean absolute errors of the series that are `there`, of methods that know them all.

    The truth without noise is none, and a method on other windows compares with nothing here.
    """
    found = {}
    for name, rows in test.series_errors.items():
        if name == OWN or name.startswith(TRUTH) or len(rows) != len(windows):
            continue
        known = [rows[place] for place in there.tolist()]
        if all(is_known(each.get('mae')) and each.get('windows') == windows[place]
               for each, place in zip(known, there, strict=True)):
            found[name] = np.array([each['mae'] for each in known])
    return found


def _best(simple: dict[str, np.ndarray], deviation: np.ndarray) -> str | None:
    """The method whose errors are least on the mean, each series by its own deviation."""
    if not simple:
        return None
    scale = np.where(deviation > 0, deviation, 1)
    return min(simple, key=lambda name: float((simple[name] / scale).mean()))


def _ratio(one: float, other: float) -> float:
    if other:
        return one / other
    return math.inf if one else 1.0
