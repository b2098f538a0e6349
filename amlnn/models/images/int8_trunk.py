"""The frozen beginning of a classifier in integers of 8 bits, computed by OpenVINO."""

# B batch, C channels, H height, W width

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from amlnn.models.images.openvino_trunk import OpenVINOTrunk
from amlnn.openvino_library import import_nncf, import_openvino, openvino_core
from amlnn.quiet import quiet_imports

__all__ = ['Int8Trunk', 'KeptModel']

_TOLERANCE = 0.3
"""Of the relative difference of features. It keeps out what went wrong; whether eight bits are
enough, decisions tell."""


class KeptModel:
    """Where a model of OpenVINO's is kept, for calibration takes half a minute.

    Args:
        read: Gives what `write` was given, perhaps in another process, or None.
        write: Takes bytes.
    """

    def __init__(self, read: Callable[[], bytes | None], write: Callable[[bytes], object]):
        self._read, self._write = read, write

    def load(self) -> Any:
        """The model, or None."""
        content = self._read()
        if content is None:
            return None
        end = 8 + int.from_bytes(content[:8], 'little')
        weights = import_openvino().Tensor(np.frombuffer(content[end:], np.uint8))
        return openvino_core().read_model(content[8:end], weights)

    def keep(self, model: Any) -> None:
        """Write a model."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / 'model.xml'
            import_openvino().save_model(model, path, compress_to_fp16=False)
            graph, weights = path.read_bytes(), path.with_suffix('.bin').read_bytes()
        self._write(len(graph).to_bytes(8, 'little') + graph + weights)


class Int8Trunk(OpenVINOTrunk):
    """An OpenVINOTrunk whose convolutions and matrix products are of integers.

    Their ranges are those of calibration images, by NNCF. What it leaves in floating point is
    computed in the precision.

    Args:
        model: As of Trunk, on a CPU.
        calibration_BCHW: Images as `forward` takes them.
        split: As of Trunk.
        precision: 'fp32' or 'bf16'.
        kept: Where the calibrated model is looked for, and kept.
    """

    engine = 'openvino-int8'

    def __init__(self, model: nn.Module, calibration_BCHW: Tensor, split: int | None = None,
                 precision: str = 'fp32', kept: KeptModel | None = None):
        super().__init__(model, split, precision)
        self.kept = kept
        self.tolerance = _TOLERANCE
        self._calibration = calibration_BCHW
        self._quantised: Any = None

    def facts(self) -> dict:
        """As of Trunk; and the images that it was calibrated on."""
        pixels = self._calibration.contiguous().view(torch.uint8).numpy()
        return super().facts() | {'calibration': hashlib.sha256(pixels).hexdigest()}

    def _converted(self, images_BCHW: Tensor) -> Any:
        if self._quantised is None and self.kept:
            self._quantised = self.kept.load()
        if self._quantised is None:
            nncf = import_nncf()
            model = super()._converted(self._calibration)
            model.reshape([1, *self._calibration.shape[1:]])
            images = nncf.Dataset([image.numpy() for image in self._calibration.split(1)])
            with quiet_imports():  # its progress
                self._quantised = nncf.quantize(model, images, subset_size=len(self._calibration),
                                                preset=nncf.QuantizationPreset.MIXED)
            if self.kept:
                self.kept.keep(self._quantised)
        return self._quantised.clone()
