"""Predicting by the way whose first line is there soonest; torch is imported only by what needs it.
"""

from collections.abc import Callable, Iterator

from amlnn.config.kind import run_kind
from amlnn.engine.options import PredictOptions

__all__ = ['predict_soonest']


def predict_soonest(options: PredictOptions, on_bad: Callable[[str, str], None]) -> Iterator[str]:
    """Lines of text; arguments and errors as of `amlnn.engine.predict.predict`."""
    loaded = options.loaded()
    if run_kind(loaded.config) == 'forecasting':
        from amlnn.engine.series.quick_forecast import quick_forecast
        lines = quick_forecast(loaded, options)
        if lines is not None:
            return lines
    from amlnn.engine.predict import predict
    return predict(options, on_bad)
