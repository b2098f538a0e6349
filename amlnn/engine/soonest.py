"""Predicting by the way whose first line is there soonest; torch is imported only by what needs it.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress

from amlnn.config.kind import run_kind
from amlnn.engine.options import PredictOptions

__all__ = ['predict_soonest']


def predict_soonest(options: PredictOptions, on_bad: Callable[[str, str], None]) -> Iterator[str]:
    """Lines of text; arguments and errors as of `amlnn.engine.predict.predict`."""
    loaded = options.loaded()
    if run_kind(loaded.config) == 'forecasting':
        from amlnn.engine.series.exported import NotExported
        from amlnn.engine.series.quick_forecast import quick_forecast
        with suppress(NotExported):  # known before the first line
            if (lines := quick_forecast(loaded, options)) is not None:
                yield from lines
                return
    from amlnn.engine.predict import predict
    yield from predict(options, on_bad)
