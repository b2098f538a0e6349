"""The frozen beginning of a classifier, computed by OpenVINO on a CPU.

Most processors have no matrix units, and there OpenVINO's convolutions are the faster ones. The
stages are exported as they are, in float32 and with their batch norms; OpenVINO folds and fuses
them, and rounds to bfloat16 where that is asked for.
"""

# B batch, C channels, H height, W width

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from amlnn.errors import ConfigError
from amlnn.models.images.folding import relative_difference
from amlnn.models.images.trunk import DTYPES, TOLERANCES, Trunk
from amlnn.openvino_library import import_openvino, openvino_core

__all__ = ['OpenVINOTrunk', 'Unfit']

_HINTS = {'fp32': 'f32', 'bf16': 'bf16'}
_PART_PIXELS = 8 * 224 * 224
"""Of a part of a batch: more images at once are no faster, and their maps take memory."""


class Unfit(ConfigError):
    """OpenVINO cannot compute the stages, or not as they have to be; why, in words."""

    def __init__(self, message: str, hint: str = "set execution.trunk_engine='torch'"):
        super().__init__(message, hint)


class OpenVINOTrunk(Trunk):
    """A Trunk whose stages OpenVINO computes.

    The stages are converted when images of a size come for the first time, and checked on them:
    their features have to be those of the unfolded float32 trunk, within the tolerance of the
    precision, and an image's features may not depend on the images beside it, by no bit. What was
    computed once can then stand for what would be computed again in another batch.

    Args:
        model: As of Trunk, on a CPU.
        split: As of Trunk.
        precision: 'fp32' or 'bf16'.

    Attributes:
        difference: Relative difference (root mean square) of the features of the first images to
            those of the unfolded float32 trunk; None before there were any.
    """

    engine = 'openvino'

    def __init__(self, model: nn.Module, split: int | None = None, precision: str = 'fp32'):
        if precision not in _HINTS:
            raise ValueError(f'precision is {precision!r}, not one of {", ".join(_HINTS)}')
        super().__init__(model, split, fold=False)
        self._hint = _HINTS[precision]
        self._output_dtype = DTYPES[precision]
        self.tolerance = TOLERANCES[self._output_dtype]
        self._requests: dict[tuple[int, ...], Any] = {}
        self._plain_layout = self._channels_last
        self.difference = None
        self._by_openvino(True)

    @property
    def dtype(self) -> torch.dtype:
        """Of the output."""
        return torch.float32 if self.pooled else self._output_dtype

    def _shape_of(self, image_BCHW: Tensor) -> tuple[int, ...]:
        # Nothing is converted for it; what is converted already computes faster.
        known = tuple(image_BCHW.shape[1:]) in self._requests
        return tuple((self if known else self.plain)(image_BCHW).shape[1:])

    def plain(self, images_BCHW: Tensor) -> Tensor:
        """What the stages themselves make of images, in float32."""
        self._by_openvino(False)
        try:
            return self(images_BCHW)
        finally:
            self._by_openvino(True)

    def convert(self, images_BCHW: Tensor) -> None:
        """Convert the stages for images of a size, and check what comes out on these.

        Args:
            images_BCHW: Images as `forward` takes them, two at least.

        Raises:
            Unfit: it cannot be done, or comes out otherwise.
        """
        size = tuple(images_BCHW.shape[1:])
        try:
            self._requests[size] = self._compiled(images_BCHW)
        except Exception as error:  # of torch's export, OpenVINO's frontend or its plugin
            line = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise Unfit(f'OpenVINO cannot convert the stages: {line[:200]}') from error
        try:
            self._check(images_BCHW)
        except Unfit:
            del self._requests[size]
            raise

    def _by_openvino(self, on: bool) -> None:
        self._run = self._infer if on else self._run_stages
        self._channels_last = self._plain_layout and not on

    def _parts(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        height, width = images_BCHW.shape[-2:]
        return images_BCHW.split(max(1, _PART_PIXELS // (height * width)))

    def _infer(self, x_BCHW: Tensor) -> Tensor:
        size = tuple(x_BCHW.shape[1:])
        if size not in self._requests:
            self.convert(x_BCHW if len(x_BCHW) > 1 else torch.cat([x_BCHW, x_BCHW.flip(-1)]))
        request = self._requests[size]
        request.infer({0: x_BCHW.contiguous().numpy()}, share_inputs=True)
        # The next images are written over it.
        y = torch.from_numpy(request.get_output_tensor().data).to(self._output_dtype, copy=True)
        return y.permute(0, 3, 1, 2) if y.ndim == 4 else y

    def _compiled(self, images_BCHW: Tensor) -> Any:
        converted = self._converted(images_BCHW)
        converted.reshape([-1, *images_BCHW.shape[1:]])
        compiled = openvino_core().compile_model(converted, 'CPU', {
            'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_PRECISION_HINT': self._hint,
            'INFERENCE_NUM_THREADS': torch.get_num_threads(),
            # Several processes would be pinned to the same cores.
            'ENABLE_CPU_PINNING': False})
        return compiled.create_infer_request()

    def _converted(self, images_BCHW: Tensor) -> Any:
        """OpenVINO's model of the stages."""
        openvino = import_openvino()
        stages = _LastChannels(self.body, self._run_stages)
        batch = {0: torch.export.Dim.DYNAMIC}
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter('ignore')
            program = torch.export.export(stages, (images_BCHW[:2].float().contiguous(), ),
                                          dynamic_shapes=(batch, ))
            return openvino.convert_model(program)

    def _check(self, images_BCHW: Tensor) -> None:
        features = self(images_BCHW)
        self.difference = relative_difference(features, self.plain(images_BCHW))
        if not self.difference <= self.tolerance:
            raise Unfit(f'features by OpenVINO differ by {self.difference:.1e}, more than '
                        f'{self.tolerance:.0e}')
        alone = torch.cat([self(image) for image in images_BCHW.flip(0).split(1)]).flip(0)
        if not torch.equal(features, alone):
            raise Unfit("an image's features by OpenVINO depend on the images beside it")


class _LastChannels(nn.Module):
    """The stages, feature maps with their channels last, as the tail and the disk want them."""

    def __init__(self, body: nn.Module, run: Any):
        super().__init__()
        self.body = body
        self.run = run

    def forward(self, x: Tensor) -> Tensor:
        y = self.run(x)
        return y.permute(0, 2, 3, 1) if y.ndim == 4 else y
