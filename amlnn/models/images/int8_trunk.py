"""The frozen beginning of a classifier in integers of 8 bits, computed by OpenVINO."""

# B batch, C channels, H height, W width

import hashlib
from typing import Any

import torch
from torch import Tensor, nn

from amlnn.models.images.openvino_trunk import OpenVINOTrunk
from amlnn.openvino_library import import_nncf
from amlnn.quiet import quiet_imports

__all__ = ['Int8Trunk']

_TOLERANCE = 0.3
"""Of the relative difference of features. It keeps out what went wrong; whether eight bits are
enough, decisions tell."""


class Int8Trunk(OpenVINOTrunk):
    """An OpenVINOTrunk whose convolutions and matrix products are of integers.

    Their ranges are those of calibration images, by NNCF. What it leaves in floating point is
    computed in the precision.

    Args:
        model: As of Trunk, on a CPU.
        calibration_BCHW: Images as `forward` takes them.
        split: As of Trunk.
        precision: 'fp32' or 'bf16'.
    """

    engine = 'openvino-int8'

    def __init__(self, model: nn.Module, calibration_BCHW: Tensor, split: int | None = None,
                 precision: str = 'fp32'):
        super().__init__(model, split, precision)
        self.tolerance = _TOLERANCE
        self._calibration = calibration_BCHW
        self._quantised: Any = None

    def facts(self) -> dict:
        """As of Trunk; and the images that it was calibrated on."""
        pixels = self._calibration.contiguous().view(torch.uint8).numpy()
        return super().facts() | {'calibration': hashlib.sha256(pixels).hexdigest()}

    def _converted(self, images_BCHW: Tensor) -> Any:
        if self._quantised is None:
            nncf = import_nncf()
            model = super()._converted(self._calibration)
            model.reshape([1, *self._calibration.shape[1:]])
            images = nncf.Dataset([image.numpy() for image in self._calibration.split(1)])
            with quiet_imports():  # its progress
                self._quantised = nncf.quantize(model, images, subset_size=len(self._calibration),
                                                preset=nncf.QuantizationPreset.MIXED)
        return self._quantised.clone()
