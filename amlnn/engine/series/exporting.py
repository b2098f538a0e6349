"""Exports a forecaster of PyTorch for OpenVINO, where both forecast the same."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from amlnn.data.series.ends import LastWindows
from amlnn.engine.plan import Plan
from amlnn.engine.series.exported import (
    ExportedForecaster,
    export_name,
    given_arrays,
    keep_exported,
)
from amlnn.openvino_library import import_openvino, openvino_version
from amlnn.quiet import quiet_imports

__all__ = ['exported']

# B windows

_TOLERANCE = 1e-4
"""Greatest difference of a forecast, in standard deviations of the training part."""

_TRACED, _CHECKED = 2, 5  # windows that are drawn: a number that became fixed shows itself


def exported(model: nn.Module, plan: Plan, checkpoint: Path, windows: LastWindows
             ) -> ExportedForecaster | None:
    """The forecaster for OpenVINO, kept for the next time; None where there can be none.

    It must forecast these windows, and drawn ones of another number, as the model does in float32.

    Args:
        model: With the checkpoint's weights, in eval mode.
        plan: Its plan.
        checkpoint: Where the weights are from.
        windows: Those that will be forecast.
    """
    if not openvino_version() or plan.device != 'cpu' \
            or plan.policy.precision not in ('auto', 'fp32') \
            or getattr(model, 'members', None) is not None:  # which of them counts, data decide
        return None
    arrays = given_arrays(windows)
    with warnings.catch_warnings(), torch.no_grad(), quiet_imports():
        warnings.simplefilter('ignore')  # of the tracer, at every size that is fixed rightly
        try:
            structure, weights = _converted(_Arrays(model, tuple(arrays)), arrays)
            found = ExportedForecaster(structure, weights, tuple(arrays))
            fits = all(_alike(model, found, each) for each in (
                {key: value[:_CHECKED] for key, value in arrays.items()}, _drawn(arrays, _CHECKED)))
        except Exception:  # of the tracer or of OpenVINO: then PyTorch forecasts
            return None
    if not fits:
        return None
    if name := export_name(plan.loaded.config, checkpoint):
        keep_exported(name, structure, weights, tuple(arrays))
    return found


class _Arrays(nn.Module):
    """A forecaster that takes arrays in order and gives one or two."""

    def __init__(self, model: nn.Module, names: tuple[str, ...]):
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        forecast = self.model(**dict(zip(self.names, tensors, strict=True)), mode='predict')
        point, quantiles = forecast.point.float(), forecast.quantiles
        return (point, ) if quantiles is None else (point, quantiles.float())


def _converted(model: nn.Module, arrays: dict[str, np.ndarray]) -> tuple[bytes, bytes]:
    """Structure and weights as OpenVINO keeps them, for any number of windows."""
    example = tuple(torch.from_numpy(each) for each in _drawn(arrays, _TRACED).values())
    traced = torch.jit.trace(model, example, check_trace=False)
    openvino = import_openvino()
    converted = openvino.convert_model(traced, example_input=example)
    converted.reshape({number: [-1, *each.shape[1:]] for number, each in enumerate(example)})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'forecaster.xml'
        openvino.save_model(converted, path, compress_to_fp16=False)
        return path.read_bytes(), path.with_suffix('.bin').read_bytes()


def _alike(model: nn.Module, found: ExportedForecaster, arrays: dict[str, np.ndarray]) -> bool:
    expected = _Arrays(model, tuple(arrays))(*map(torch.from_numpy, arrays.values()))
    outputs = found.forecast(list(arrays.values()))
    return len(outputs) == len(expected) and all(
        own.shape == tuple(other.shape) and bool(np.abs(own - other.numpy()).max() <= _TOLERANCE)
        for own, other in zip(outputs, expected, strict=True))


def _drawn(arrays: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    """So many windows of numbers that are drawn, shaped as those given."""
    random = np.random.default_rng(0)

    def like(name: str, array: np.ndarray) -> np.ndarray:
        shape = (count, *array.shape[1:])
        if array.dtype == bool:
            return random.random(shape) < 0.9
        if array.dtype == np.int64:  # which series, or where on the time grid: as they are
            return random.choice(array, shape)
        return random.standard_normal(shape).astype(array.dtype)

    return {name: like(name, array) for name, array in arrays.items()}
