"""A forecaster as OpenVINO computes it, from the user's cache; nothing here imports torch.

The first forecast from a checkpoint puts it there (`amlnn.engine.series.exporting`), the next ones
save PyTorch's import, which takes longer than all else.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import amlnn
from amlnn.config.resolved import resolved_text
from amlnn.data.series.ends import LastWindows
from amlnn.engine.series.end_forecast import Forecasts
from amlnn.openvino_library import openvino_core, openvino_version
from amlnn.sealed import sealed_as
from amlnn.user_cache import read_cached_bytes, write_cached_bytes

__all__ = ['ExportedForecaster', 'NotExported', 'export_name', 'given_arrays', 'keep_exported',
           'read_exported']

# S series, L look-back, P horizon, D input columns, C target columns, Q quantile levels

_CACHE = 'forecasters'
_MOST = 64  # files in it, of a few megabytes each
_TOGETHER = 1024  # series that are forecast at once


class NotExported(Exception):
    """What was exported is not for these windows."""


class ExportedForecaster:
    """Forecasts windows in float32.

    Args:
        structure: OpenVINO's description of the network.
        weights: Its numbers.
        names: Of the arrays that it reads, in order.
    """

    def __init__(self, structure: bytes, weights: bytes, names: Sequence[str]):
        import openvino
        core = openvino_core()
        model = core.read_model(structure, openvino.Tensor(np.frombuffer(weights, np.uint8)))
        self.names = tuple(names)
        self._compiled = core.compile_model(model, 'CPU', {
            'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_PRECISION_HINT': 'f32',
            'ENABLE_CPU_PINNING': False})

    def __call__(self, windows: LastWindows) -> Forecasts:
        """Points [S, P, C], and quantiles [S, P, C, Q] where the network gives them.

        Raises:
            NotExported: the windows come with other arrays, or with values that are not finite,
                about which the network itself has more to say.
        """
        arrays = given_arrays(windows)
        if tuple(arrays) != self.names or not all(
                np.isfinite(each).all() for each in arrays.values()):
            raise NotExported
        parts = [self.forecast([each[first:first + _TOGETHER] for each in arrays.values()])
                 for first in range(0, len(windows.inputs), _TOGETHER)]
        points, *quantiles = (np.concatenate(each) for each in zip(*parts, strict=True))
        return points, quantiles[0] if quantiles else None

    def forecast(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The same of arrays: the points, and the quantiles if there are any."""
        outputs = self._compiled(dict(enumerate(arrays)))
        return [outputs[number].copy() for number in range(len(outputs))]


def given_arrays(windows: LastWindows) -> dict[str, np.ndarray]:
    """What a forecaster reads of windows, by the names of its arguments."""
    given = {'inputs': windows.inputs, 'observed': windows.observed, 'known': windows.known,
             'series': windows.codes if windows.series.ids else None,
             'position': windows.position}
    return {name: np.ascontiguousarray(each) for name, each in given.items() if each is not None}


def export_name(config: Mapping[str, Any], checkpoint: Path) -> str | None:
    """What names the export of a checkpoint by a config; None where nothing can be exported.

    Args:
        config: As it was loaded.
        checkpoint: A file that carries its digest.
    """
    version, digest = openvino_version(), sealed_as(checkpoint) if checkpoint.is_file() else None
    if not version or not digest:
        return None
    sections = {key: config[key] for key in ('model', 'data_preprocessor') if config.get(key)}
    facts = (_sources(), version, digest, resolved_text(sections))
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def _sources() -> str:
    """A hash of what forecasters are written in: a version does not tell each change of it."""
    package = Path(amlnn.__file__).parent
    files = [*sorted((package / 'models' / 'series').glob('*.py')),
             package / 'formulas' / 'gaps.py']
    return hashlib.sha256(b''.join(path.read_bytes() for path in files)).hexdigest()


def keep_exported(name: str, structure: bytes, weights: bytes, names: Sequence[str]) -> None:
    """Put an export into the user's cache, and the oldest of many out of it."""
    head = json.dumps([list(names), len(structure)]).encode()
    write_cached_bytes(_CACHE, name, b'\n'.join([head, structure + weights]), _MOST)


def read_exported(name: str) -> ExportedForecaster | None:
    """What was kept under a name; None for nothing, or nothing whole."""
    found = read_cached_bytes(_CACHE, name)
    if found is None:
        return None
    head, _, rest = found.partition(b'\n')
    names, length = json.loads(head)
    return ExportedForecaster(rest[:length], rest[length:], names)
