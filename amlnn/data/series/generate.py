"""Series made of known parts, so that a table can show the error of an oracle.

values = trend + seasons + shifts + noise + outliers, less the gaps; the truth is the first three.
Every series and every part of it has a random generator of its own, spawned from one: to add a part
or a series changes no other.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.registry import DATASETS

from amlnn.data.series.series import Series
from amlnn.data.series.time_grid import TimeGrid
from amlnn.errors import DataError
from amlnn.suggest import did_you_mean

__all__ = ['PRESETS', 'GeneratedSeries']

_DEFAULTS: dict[str, Any] = dict(
    length=None, level=0.0, slope=0.0, change_points=0, change_scale=0.05, seasons=(), noise=1.0,
    ar=(), level_shifts=0, shift_scale=5.0, outliers=0.0, outlier_scale=10.0, gaps=0, gap_length=10,
    start='2020-01-01', step_seconds=3600)

PRESETS = {
    'study_b': dict(length=365, level=20.0, slope=0.01, seasons=((7, 3.0), (365.25, 6.0)),
                    noise=1.0, step_seconds=86400),
    'study_c': dict(length=1000, level=5.0, slope=0.01, seasons=((7, 1.0), (365.25, 3.0)),
                    noise=0.15, step_seconds=86400),
    'hourly': dict(length=2000, level=50.0, change_points=3, change_scale=0.01,
                   seasons=((24, 6.0, 3), (168, 3.0)), noise=1.0, ar=(0.6,)),
    'all_parts': dict(length=2000, level=50.0, slope=0.005, change_points=4, change_scale=0.02,
                      seasons=((24, 6.0, 3), (168, 3.0)), noise=1.0, ar=(0.5, 0.2), level_shifts=2,
                      shift_scale=8.0, outliers=0.005, outlier_scale=15.0, gaps=5, gap_length=12),
}
"""Arguments by name. The reports of studies B and C say how many points their series have and what
they are made of, not how large the parts are: these sizes are this project's own.

- study_b: a year of days. The reported lengths 716, 1446 and 2906 are the windows of 14 days (look
  back 14, horizon 1) in a series of 365 days set behind itself 2, 4 and 8 times; once, it has 351.
  The noise has deviation 1, so that no forecast of fresh data has a mean squared error below 1.
- study_c: 1,000 days (`length=3000` for the longer one). The noise is 1 % of the range, so that an
  oracle's error is about 1e-4 when the range is scaled to 1: the smallest losses reported.
- hourly: load-like, a daily and a weekly cycle under correlated noise.
- all_parts: every part at once.
"""

_PARTS = ('trend', 'seasons', 'shifts', 'noise', 'outliers', 'gaps')


@DATASETS.register_module()
class GeneratedSeries:
    """A generated series; an argument that is None is what the preset says, or else its default.

    Args:
        length: Rows, before it is appended to itself.
        preset: A name in PRESETS.
        seed: Another seed is another series of the same process, 0 or above.
        append: How often the series stands in the result, end to end, noise and all. Above 1, the
            end of the series is a copy of its beginning: a test part without news.
        count: Series, each with random numbers of its own; they are the columns.
        level: Value at the start; 0.
        slope: Rise from row to row; 0.
        change_points: Rows, at random, at which the slope changes; 0.
        change_scale: Deviation of a change of slope; 0.05.
        seasons: (period in rows, amplitude) or (period, amplitude, harmonics) of each; harmonic k
            has amplitude / k, its phase is random; ().
        noise: Deviation of the noise, or of what drives it where there is `ar`; 1.
        ar: Coefficients of autoregressive noise, that of the row before first; ().
        level_shifts: Rows, at random, at which the level jumps for good; 0.
        shift_scale: Deviation of a jump; 5.
        outliers: Share of rows hit by an outlier, 0 to 1; 0.
        outlier_scale: Deviation of an outlier; 10.
        gaps: Runs of missing rows; 0. They may touch.
        gap_length: Rows of a gap; 10.
        start: Time of the first row, ISO 8601.
        step_seconds: Seconds from row to row; 3600.

    Raises:
        DataError: a value that no series can have.

    >>> series = GeneratedSeries(preset='study_b', append=2).read()
    >>> series.values.shape, bool((series.values[:365] == series.values[365:]).all())
    ((730, 1), True)
    """

    def __init__(self, length: int | None = None, preset: str | None = None, seed: int = 0,
                 append: int = 1, count: int = 1, level: float | None = None,
                 slope: float | None = None, change_points: int | None = None,
                 change_scale: float | None = None,
                 seasons: Sequence[Sequence[float]] | None = None, noise: float | None = None,
                 ar: Sequence[float] | None = None,
                 level_shifts: int | None = None, shift_scale: float | None = None,
                 outliers: float | None = None, outlier_scale: float | None = None,
                 gaps: int | None = None, gap_length: int | None = None, start: str | None = None,
                 step_seconds: int | None = None):
        given = dict(length=length, level=level, slope=slope, change_points=change_points,
                     change_scale=change_scale, seasons=seasons, noise=noise, ar=ar,
                     level_shifts=level_shifts, shift_scale=shift_scale, outliers=outliers,
                     outlier_scale=outlier_scale, gaps=gaps, gap_length=gap_length, start=start,
                     step_seconds=step_seconds)
        if preset is not None and preset not in PRESETS:
            raise DataError(f'no preset `{preset}`',
                            hint=did_you_mean(preset, PRESETS) or f'one of {", ".join(PRESETS)}')
        if length is None and preset is None:
            raise DataError('a generated series has neither length nor preset',
                            hint=f'length=1000, or preset= one of {", ".join(PRESETS)}')
        self.parts = _DEFAULTS | PRESETS.get(preset, {}) | {
            name: value for name, value in given.items() if value is not None}
        self.seed, self.append, self.count = seed, append, count
        self._check()

    def read(self) -> Series:
        """Generate the series, the same at every call."""
        parts = self.components()
        truth = parts['trend'] + parts['seasons'] + parts['shifts']
        observed = ~parts['gaps']
        values = np.where(observed, truth + parts['noise'] + parts['outliers'], np.nan)
        step = np.timedelta64(self.parts['step_seconds'], 's')
        times = np.datetime64(self.parts['start'], 's') + step * np.arange(len(values))
        columns = [f'series_{place}' for place in range(self.count)]
        grid = TimeGrid.parse(f'{self.parts["step_seconds"]} seconds')
        return Series(values, observed, columns, times, truth, grid=grid)

    def components(self) -> dict[str, np.ndarray]:
        """The parts by name, [T, C] float64; 'gaps' is bool, True where the value is missing."""
        generators = np.random.default_rng(self.seed).spawn(self.count)
        series = [self._one(generator) for generator in generators]
        return {name: np.tile(np.stack([parts[name] for parts in series], axis=1),
                              (self.append, 1)) for name in _PARTS}

    def _one(self, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """The parts of one series, [length]."""
        makers = (self._trend, self._seasons, self._shifts, self._noise, self._outliers, self._gaps)
        return {name: make(own) for name, make, own
                in zip(_PARTS, makers, generator.spawn(len(_PARTS)), strict=True)}

    def _trend(self, generator: np.random.Generator) -> np.ndarray:
        slope = np.full(self.parts['length'], float(self.parts['slope']))
        slope[0] = 0
        count = self.parts['change_points']
        steps = generator.normal(0, self.parts['change_scale'], count)
        for row, step in zip(self._rows(generator, count), steps, strict=True):
            slope[row:] += step
        return self.parts['level'] + np.cumsum(slope)

    def _seasons(self, generator: np.random.Generator) -> np.ndarray:
        rows = np.arange(self.parts['length'])
        total = np.zeros(len(rows))
        for period, amplitude, *harmonics in self.parts['seasons']:
            for harmonic in range(1, 1 + int(harmonics[0] if harmonics else 1)):
                phase = generator.uniform(0, 2 * np.pi)
                total += amplitude / harmonic * np.sin(2 * np.pi * harmonic * rows / period + phase)
        return total

    def _shifts(self, generator: np.random.Generator) -> np.ndarray:
        count = self.parts['level_shifts']
        sizes = generator.normal(0, self.parts['shift_scale'], count)
        total = np.zeros(self.parts['length'])
        for row, size in zip(self._rows(generator, count), sizes, strict=True):
            total[row:] += size
        return total

    def _noise(self, generator: np.random.Generator) -> np.ndarray:
        length, coefficients = self.parts['length'], np.array(self.parts['ar'], dtype=np.float64)
        if not len(coefficients):
            return generator.normal(0, self.parts['noise'], length)
        from scipy.signal import lfilter
        # Long enough that the start at zero is forgotten: 1e-6 of it is left.
        warm_up = int(np.ceil(np.log(1e-6) / np.log(max(_decay(coefficients), 0.1)))) + 1
        drive = generator.normal(0, self.parts['noise'], warm_up + length)
        return lfilter([1.0], np.concatenate([[1.0], -coefficients]), drive)[warm_up:]

    def _outliers(self, generator: np.random.Generator) -> np.ndarray:
        length = self.parts['length']
        hit = generator.random(length) < self.parts['outliers']
        return np.where(hit, generator.normal(0, self.parts['outlier_scale'], length), 0.0)

    def _gaps(self, generator: np.random.Generator) -> np.ndarray:
        length, gap = self.parts['length'], self.parts['gap_length']
        missing = np.zeros(length, dtype=bool)
        for first in generator.integers(0, length - gap + 1, self.parts['gaps']):
            missing[first:first + gap] = True
        return missing

    def _rows(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """`count` different rows, not the first."""
        return 1 + generator.choice(self.parts['length'] - 1, count, replace=False)

    def _check(self) -> None:
        """Refuse what no series can have."""
        parts = self.parts | dict(seed=self.seed, append=self.append, count=self.count)
        least = dict(length=1, append=1, count=1, gap_length=1, step_seconds=1, seed=0,
                     change_points=0, level_shifts=0, gaps=0)
        for name, bound in least.items():
            if not isinstance(parts[name], int) or parts[name] < bound:
                raise DataError(f'{name}={parts[name]!r} of a generated series',
                                hint=f'{name} is a whole number, {bound} or above')
        for name in ('noise', 'change_scale', 'shift_scale', 'outlier_scale'):
            if not 0 <= parts[name] < np.inf:
                raise DataError(f'{name}={parts[name]!r} of a generated series',
                                hint=f'{name} is a deviation, 0 or above')
        if not 0 <= parts['outliers'] <= 1:
            raise DataError(f'outliers={parts["outliers"]!r} of a generated series',
                            hint='outliers is a share of the rows, 0 to 1')
        for name, most in (('change_points', parts['length'] - 1),
                           ('level_shifts', parts['length'] - 1),
                           ('gap_length', parts['length'])):
            if parts[name] > most and (name != 'gap_length' or parts['gaps']):
                raise DataError(f'{name}={parts[name]} in a series of length {parts["length"]}',
                                hint=f'{name} is at most {most}')
        for season in parts['seasons']:
            if not (np.ndim(season) == 1 and len(season) in (2, 3) and season[0] > 0
                    and (len(season) == 2 or season[2] >= 1)):
                raise DataError(f'seasons holds {season!r}',
                                hint='seasons=[(24, 6.0), (168, 3.0, 2)]: (period in rows, '
                                'amplitude) or (period, amplitude, harmonics)')
        if len(parts['ar']) and _decay(np.array(parts['ar'], dtype=np.float64)) >= 1:
            raise DataError(f'noise with ar={tuple(parts["ar"])} grows without bound',
                            hint='smaller coefficients: of one, its size is below 1')
        try:
            np.datetime64(parts['start'], 's')
        except ValueError:
            raise DataError(f'start={parts["start"]!r} of a generated series is not a time',
                            hint="start='2020-01-01'") from None


def _decay(coefficients: np.ndarray) -> float:
    """How much of an autoregressive process is left after a row, in the long run."""
    return float(np.abs(np.roots(np.concatenate([[1.0], -coefficients]))).max(initial=0.0))
