"""Forecasts what follows the end of a file without importing torch.

By a simple method, or by a network that was exported in an earlier forecast; so the first line is
there in about a second. Whatever is out of the usual, a checkpoint of another kind or modules of
one's own, is left to `amlnn.engine.predict`, which says what is wrong.
"""

from collections.abc import Callable, Iterator
from importlib import import_module

import numpy as np
from mmengine.registry import MODELS

from amlnn.config.load import LoadedConfig
from amlnn.data.series.ends import LastWindows
from amlnn.engine.options import PredictOptions
from amlnn.engine.plain_checkpoint import read_plain
from amlnn.engine.series.end_forecast import Forecasts, check_file, forecast_ends
from amlnn.engine.series.exported import export_name, given_arrays, read_exported
from amlnn.engine.series.sections import SeriesSections, checkpoint_metainfo
from amlnn.models.series.baseline import Baseline
from amlnn.registry import of_registry

__all__ = ['quick_forecast']

_MODULES = ('amlnn.data.series.array_series', 'amlnn.data.series.csv_series',
            'amlnn.data.series.generate', 'amlnn.models.series.baselines',
            'amlnn.models.series.ridge')
Forecast = Callable[[LastWindows], Forecasts]

_PREFIX = 'learnt.'  # of `SimpleForecaster`'s parameters


def quick_forecast(loaded: LoadedConfig, options: PredictOptions) -> Iterator[str] | None:
    """The lines of `forecast_ends`; None where this way is not for the config or the checkpoint.

    Args:
        loaded: The config.
        options: What to forecast, and with what.

    Raises:
        AmlnnError: as of `forecast_ends`, while the lines are made.
        NotExported: likewise, before the first line: this way is not for what is in the file.
    """
    if loaded.config.get('custom_imports'):
        return None
    content = read_plain(options.checkpoint)
    if content is None:
        return None
    for name in _MODULES:
        import_module(name)
    info = checkpoint_metainfo(content, options.checkpoint)
    forecast = _simple(loaded, info, content) or _network(loaded, options)
    if forecast is None:
        return None
    check_file(options)
    sections = SeriesSections(loaded, loaded.config, info, options.checkpoint)
    sections.check_sizes()
    return forecast_ends(sections, options, content.get('intervals') or [], forecast)


def _network(loaded: LoadedConfig, options: PredictOptions) -> Forecast | None:
    """The network, where it was exported."""
    name = export_name(loaded.config, options.checkpoint) if options.device != 'cuda' else None
    return read_exported(name) if name else None


def _simple(loaded: LoadedConfig, info: dict, content: dict) -> Forecast | None:
    """The method of a SimpleForecaster."""
    model = loaded.config.get('model') or {}
    if model.get('type') != 'SimpleForecaster':
        return None
    baseline = _baseline(model.get('method'), info, content)
    return None if baseline is None else lambda windows: _forecast(baseline, windows)


def _baseline(method: object, info: dict, content: dict) -> Baseline | None:
    """The method with what it learnt; None where the checkpoint is of another one."""
    arguments = dict(method) if isinstance(method, dict) else {}
    kind = of_registry(MODELS, arguments.pop('type', None))
    if kind is None or not issubclass(kind, Baseline):
        return None
    baseline: Baseline = kind(**arguments)
    baseline.prepare(len(info['columns']), info['look_back'], info['horizon'], info.get('season'))
    learnt = {name.removeprefix(_PREFIX): value
              for name, value in (content.get('state_dict') or {}).items()}
    shapes = baseline.shapes(len(info.get('ids', [])) or 1, len(info.get('known_columns', [])))
    if {name: np.shape(value) for name, value in learnt.items()} != shapes:
        return None
    baseline.take(learnt)
    return baseline


def _forecast(baseline: Baseline, windows: LastWindows) -> Forecasts:
    given = given_arrays(windows)
    given.pop('position', None)
    # In the precision of a network's, so that both ways print the same digits.
    return baseline.predict(given.pop('inputs'), **given).astype(np.float32), None
