"""A whole backbone as a fast function of images that gives the pooled output of every stage."""

# B batch, C channels, H height, W width, L positions, S numbers of all stages together

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from amlnn.models.images.int8_trunk import Int8Trunk
from amlnn.models.images.openvino_trunk import OpenVINOTrunk
from amlnn.models.images.stages import Stage, list_stages, outputs_of_stages
from amlnn.models.images.trunk import Trunk
from amlnn.quiet import quiet_imports

with quiet_imports():
    from mmpretrain.models.necks import GlobalAveragePooling

__all__ = ['Int8StagesTrunk', 'OpenVINOStagesTrunk', 'StagesTrunk']

_WIDEST = 16384
"""Numbers of a stage from which on it is left out: it hands on several tensors, flattened."""


class _EveryStage(Trunk):
    """What the engines share. `forward` gives [B, S]: stage after stage, float32.

    An output is averaged over its positions: [B, C, H, W] over the last two axes, [B, H, W, C] over
    the middle two, [B, L, C] over the second. The last stage's is what the head takes, so it goes
    through the classifier's neck first.

    Attributes:
        widths: Of each stage that is given, its numbers; known from the beginning.
    """

    widths: dict[str, int]
    _axes: dict[str, tuple[int, ...]]

    def __init__(self, *arguments: Any, **options: Any):
        self.widths = {}
        self._axes = {}  # what a stage's output is averaged over, as its first run showed
        super().__init__(*arguments, **options)

    @property
    def dtype(self) -> torch.dtype:
        """Of the output."""
        return torch.float32

    def facts(self) -> dict:
        """As of Trunk; and that it gives every stage, and what it puts behind the last."""
        state = {} if self.neck is None else {
            name: tensor.tolist() for name, tensor in self.neck.state_dict().items()}
        return super().facts() | {'every_stage': self.widths, 'neck': repr(self.neck),
                                  'neck_state': state}

    def _most(self, model: nn.Module) -> int:
        return len(list_stages(model.backbone))

    def _neck_of(self, model: nn.Module, split: int) -> nn.Module | None:
        # Pooling is averaging; and a neck that is called is no part of what can be traced.
        plain = model.neck is None or type(model.neck) is GlobalAveragePooling
        return None if plain else copy.deepcopy(model.neck).eval()

    def _entries(self, stages: Sequence[Stage], split: int) -> Sequence[Stage]:
        return ()  # no forward begins inside of the backbone's

    def _features(self, x_BCHW: Tensor) -> Tensor:
        return self._run(x_BCHW)

    def _run_stages(self, x: Tensor) -> Tensor:
        if self.fused:
            return self.body(x)
        *inner, last = outputs_of_stages(self.body, self._stages, x)
        vectors = []
        for stage, given in zip(self._stages, [*inner, self._for_head(last)], strict=True):
            if stage.name not in self._axes:
                self._look(stage.name, given, last=stage is self._stages[-1])
            if stage.name in self.widths:
                axes = self._axes[stage.name]
                vectors.append(given.float().mean(axes) if axes else given.float())
        return torch.cat(vectors, 1)

    def _for_head(self, outputs: Any) -> Tensor:
        if self.neck is not None:
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            outputs = self.neck(tuple(each.float() for each in outputs))
        while isinstance(outputs, tuple | list):
            outputs = outputs[-1]
        return outputs

    def _look(self, name: str, x: Tensor, last: bool) -> None:
        """Learn from a first run, on images of noise, what the output of a stage is like."""
        sizes = tuple(x.shape[1:])
        channels_last = len(sizes) == 3 and sizes[0] == sizes[1] != sizes[2]
        self._axes[name] = {3: (1, 2) if channels_last else (2, 3), 2: (1,)}.get(len(sizes), ())
        width = sizes[0] if len(sizes) == 3 and not channels_last else sizes[-1]
        if last or width <= _WIDEST:
            self.widths[name] = width


class StagesTrunk(_EveryStage):
    """By torch; arguments as of Trunk, `split` being all stages.

    >>> from mmengine.registry import MODELS
    >>> import mmpretrain.models
    >>> model = MODELS.build(dict(type='mmpretrain.ImageClassifier',
    ...     backbone=dict(type='mmpretrain.ResNet', depth=18),
    ...     neck=dict(type='mmpretrain.GlobalAveragePooling')))
    >>> trunk = StagesTrunk(model)
    >>> trunk.widths
    {'stem': 64, 'layer1': 64, 'layer2': 128, 'layer3': 256, 'layer4': 512}
    >>> trunk(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 1024])
    """


class OpenVINOStagesTrunk(_EveryStage, OpenVINOTrunk):
    """By OpenVINO; arguments as of OpenVINOTrunk."""

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self._output_dtype = torch.float32  # averages are not rounded to the maps' precision


class Int8StagesTrunk(_EveryStage, Int8Trunk):
    """By OpenVINO in 8 bits; arguments as of Int8Trunk."""

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self._output_dtype = torch.float32
