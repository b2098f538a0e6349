"""What the intervals of a test are calibrated on: the windows before the part, and it itself."""

import contextlib
from collections.abc import Iterator

import numpy as np
from mmengine.registry import DATASETS

from amlnn.data.series.windows import SeriesWindows
from amlnn.engine.series.parts import SeriesParts
from amlnn.errors import DataError
from amlnn.formulas.calibrated_windows import (
    SCORED_LEVELS,
    Bounded,
    ForecastWindows,
    calibrated,
    static_margins,
)
from amlnn.formulas.conformal import INTERVAL_LEVELS
from amlnn.formulas.interval_errors import IntervalSums

__all__ = ['bounded_windows', 'interval_sums', 'windows_before']


def windows_before(parts: SeriesParts, split: str) -> SeriesWindows | None:
    """The validation windows on the scale of the test windows, for intervals of the test part.

    Series that the training had not are scaled by all rows before a part, so those of
    `SeriesParts.dataset` may have another scale.

    Returns:
        None for another part, and where there are none.
    """
    if split != 'test' or not parts.config.get('val_dataloader'):
        return None
    dataset = parts.dataset(split)
    section = parts.complete_section('val') | {'scaler': dataset.scaler.to_dict()}
    with contextlib.suppress(DataError):  # the validation part has no window
        before: SeriesWindows = DATASETS.build(section)
        alike = (before.columns, before.horizon) == (dataset.columns, dataset.horizon)
        return before if alike else None
    return None


def interval_sums() -> IntervalSums:
    """Of intervals that `bounded_windows` gives."""
    return IntervalSums(SCORED_LEVELS, INTERVAL_LEVELS)


def bounded_windows(part: ForecastWindows, before: ForecastWindows | None, split: str
                    ) -> Iterator[Bounded]:
    """The windows of a part with intervals of SCORED_LEVELS; see `calibrated`.

    Where too few errors are known, the margins of the validation part stand: for the test part with
    no validation before it, there are none.

    Args:
        part: The windows.
        before: Those of the validation part, for the test part.
        split: Which part it is.
    """
    static = static_margins(before or part, SCORED_LEVELS)
    if before is None and split == 'test':
        static = [each._replace(margin=np.full_like(each.margin, np.nan)) for each in static]
    return calibrated(part, static, before)
