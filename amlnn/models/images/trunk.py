"""The frozen beginning of a classifier, computed fast, and the rest of it from there.

`split_point` divides a backbone before its first stage with anything trainable. What lies before is
the trunk: its output for an image never changes, so it may be kept. What lies behind, the tail,
stays the classifier's own modules: `extract_from` runs them on the trunk's output, for training and
prediction. With everything frozen, global average pooling belongs to the trunk, and an image is a
vector.
"""

# B batch, C channels, H height, W width

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from amlnn.models.images.cuda_graphs import CudaGraphs
from amlnn.models.images.folding import fold_batch_norm, fuse_pointwise, relative_difference
from amlnn.models.images.freezing import held_in_eval, hold_in_eval
from amlnn.models.images.stages import (
    Stage,
    backbone_kind,
    gives_tensor,
    list_stages,
    run_stages,
    why_no_stages,
    why_not_composed,
)
from amlnn.models.images.trunk_body import (
    NORMS,
    LearningSizes,
    copy_of,
    is_channels_last,
    lower,
    probe_of,
    takes_neck,
)
from amlnn.quiet import quiet_imports

with quiet_imports():
    from mmcv.cnn.bricks import DropPath
    from mmpretrain.models.classifiers import ImageClassifier

__all__ = ['DTYPES', 'TOLERANCES', 'Trunk', 'extract_from', 'split_point', 'why_not',
           'why_not_divided']

DTYPES = {'fp32': torch.float32, 'bf16': torch.bfloat16, 'fp16': torch.float16}

TOLERANCES = {torch.float32: 1e-3, torch.float16: 1e-2, torch.bfloat16: 3e-2}
"""Greatest relative difference that folding, or another engine, may make. Reduced precisions round
more by themselves."""
# On a CPU a batch goes through in parts. From 32 MiB on, the C library takes every feature map's
# memory from the system anew, page by page; below, it is a quarter faster.
_PART_PIXELS = 8 * 224 * 224
_DROPS = (nn.modules.dropout._DropoutNd, nn.RReLU, DropPath)


def split_point(model: nn.Module) -> int:
    """Index of the first stage with anything that training moves or that noise changes.

    That is a trainable parameter; a module which freezing does not hold in eval mode; a batch norm
    without running statistics, whose output for an image depends on the images beside it.

    Returns:
        The number of stages in the trunk; 0 for no trunk, also where the stages are not known.
    """
    stages = list_stages(model.backbone) or []
    split = next((index for index, stage in enumerate(stages)
                  if _why_moving(model.backbone, stage)), len(stages))
    # The result of the whole is kept where it is one tensor, else what the last stage makes it of.
    whole = bool(stages) and split == len(stages)
    return split - 1 if whole and not gives_tensor(model.backbone) else split


def why_not_divided(model: nn.Module) -> str | None:
    """One line on why a model is no backbone with a head behind it, or None where it is."""
    if not isinstance(model, ImageClassifier) or getattr(model, 'backbone', None) is None:
        return f'{type(model).__name__} has no backbone and head to be split between'
    for method in ('forward', 'extract_feat', 'loss', 'predict'):
        if getattr(type(model), method) is not getattr(ImageClassifier, method):
            return f'{type(model).__name__} has its own `{method}`'
    return None


def why_not(model: nn.Module, image_side: int | None = None) -> str | None:
    """One line on why a trunk would be wrong or useless, or None where there can be one.

    Args:
        model: The classifier, as it will be trained: weights loaded, frozen.
        image_side: Pixels of the random image on which the stages are checked; if None, few that
            the backbone takes.
    """
    if reason := why_not_divided(model):
        return reason
    backbone = model.backbone
    if getattr(model.data_preprocessor, 'batch_augments', None):
        own = any(each.requires_grad for each in backbone.parameters())
        return 'batch augmentations (mixup, cutmix) mix images, and a mixture has no place in a ' \
            'cache of images' + ('' if own else '; FeatureMixup mixes what is computed of them')
    if not any(not parameter.requires_grad for parameter in backbone.parameters()):
        return 'nothing is frozen'
    kind = backbone_kind(backbone)
    stages = list_stages(backbone)
    if stages is None:
        return f'{kind} has no stages: {why_no_stages(backbone)}'
    held = held_in_eval(backbone)
    own = getattr(backbone, 'frozen_stages', -1)
    if not held and own is not None and own >= 0:
        return f"`backbone.frozen_stages={own}` is {kind}'s own key, which does not hold what it " \
            'freezes in eval mode as `model.frozen_stages` does'
    split = split_point(model)
    if split == 0:
        return f'{_why_moving(backbone, stages[0])}, in the first stage ({stages[0].name})'
    return _hooked(model, stages[:split]) or why_not_composed(
        backbone, probe_of(backbone, image_side))


class Trunk(nn.Module):
    """The frozen stages of a classifier as a fast function of images.

    Holds a copy of the stages before the split, in eval mode. Runs in inference mode; its output is
    an ordinary tensor, so that a tail can be trained on it. In fp32 without folding it equals the
    classifier's own partial forward to the bit.

    Args:
        model: The classifier; `why_not(model)` must be None. Not changed.
        split: Stages of the trunk, at most those of `split_point`, which is taken if None.
        precision: 'fp32', 'bf16' or 'fp16', of convolutions and feature maps. Batch norms that are
            not folded, and pooling, compute in float32.
        fold: Fold batch norms into convolutions, and on a CPU residuals and relu too. Either must
            leave the features of random images as they are, to a relative difference of 1e-3 in
            float32, or it is undone.
        compile: Compile with torch.compile, in the first call, for its batch's shape.
        graphs: On a GPU, replay the kernels of what is not compiled as CUDA graphs, if that can be
            done and gives the same bits.
        image_side: Pixels of the random images that `difference` is measured on; if None, few that
            the backbone takes.

    Attributes:
        dtype: Of the output: float32 where pooled, else the precision's; float32 too where a
            backbone computes numbers of its own in float32, which do not go with others.
        pooled: Whether the output is vectors, [B, C], or feature maps, [B, C, H, W].
        folded: The number of batch norms folded.
        fused: Whether convolutions add residuals and apply relu themselves.
        graphed: Whether its kernels are replayed as CUDA graphs.
        difference: Relative difference (root mean square) to the unfolded float32 trunk, on random
            images.
    """

    engine = 'torch'
    """What computes the stages."""

    def __init__(self, model: nn.Module, split: int | None = None, precision: str = 'fp32',
                 fold: bool = True, compile: bool = False, graphs: bool = True,
                 image_side: int | None = None):
        super().__init__()
        if precision not in DTYPES:
            raise ValueError(f'precision is {precision!r}, not one of {", ".join(DTYPES)}')
        stages = list_stages(model.backbone)
        most = self._most(model)
        split = most if split is None else split
        if not 1 <= split <= most:
            raise ValueError(f'split is {split}, not 1 to {most}')
        self._stages = stages[:split]
        self.neck = self._neck_of(model, split)
        self.pooled = self.neck is not None
        # The bits of an exact trunk depend on the layout: it keeps the model's.
        self._channels_last = is_channels_last(model.backbone)
        self.body = copy_of(model.backbone, self._stages, stages[split:])
        # Where the tail begins inside of the backbone's forward, it has to learn of every size.
        begins = [stage.span.first for stage in self._entries(stages, split)]
        self._learn = LearningSizes(model.backbone, begins) if begins else None
        self.fused = self.graphed = False
        self._run = self._run_stages
        self._shapes: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._compute_dtype = torch.float32
        probe = probe_of(model.backbone, image_side)
        reference = self(probe).float()
        folded = self._fold(probe, reference) if fold else None
        self.folded = folded or 0
        self._lower(DTYPES[precision], probe)
        if self.folded or self._compute_dtype != torch.float32:
            self._channels_last = True
            self.body.to(memory_format=torch.channels_last)
        if compile:
            self._run = torch.compile(self._run_stages)
        elif graphs and probe.device.type == 'cuda':
            self._replay(probe)
        elif folded is not None and probe.device.type == 'cpu':
            self._fuse(probe)
        self.difference = relative_difference(self(probe), reference)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Features of preprocessed images.

        Args:
            images_BCHW: As the classifier's data_preprocessor gives them, on the trunk's device.

        Returns:
            [B, C] or [B, C, H, W], in `dtype`.
        """
        if self._learn is not None:
            self._learn(images_BCHW)
        layout = torch.channels_last if self._channels_last else torch.preserve_format
        with torch.inference_mode(), torch.autocast(images_BCHW.device.type, enabled=False):
            parts = [self._features(part.to(self._compute_dtype, memory_format=layout))
                     for part in self._parts(images_BCHW)]
        # Copied outside: what inference mode makes cannot be saved for a backward pass.
        return torch.cat(parts)

    @property
    def dtype(self) -> torch.dtype:
        """Of the output."""
        return torch.float32 if self.pooled else self._compute_dtype

    def facts(self) -> dict:
        """What its output depends on beside the arguments of `trunk_key`."""
        return {'engine': self.engine, 'folded': self.folded, 'fused': self.fused}

    def shape_of(self, images_BCHW: Tensor) -> tuple[int, ...]:
        """Of one image's features, for images of this size."""
        size = tuple(images_BCHW.shape[1:])
        if size not in self._shapes:
            self._shapes[size] = self._shape_of(images_BCHW[:1])
        return self._shapes[size]

    def _shape_of(self, image_BCHW: Tensor) -> tuple[int, ...]:
        return tuple(self(image_BCHW).shape[1:])

    def _most(self, model: nn.Module) -> int:
        return split_point(model)

    def _neck_of(self, model: nn.Module, split: int) -> nn.Module | None:
        takes = takes_neck(model, split, len(list_stages(model.backbone)))
        return copy.deepcopy(model.neck) if takes else None

    def _entries(self, stages: Sequence[Stage], split: int) -> Sequence[Stage]:
        """Derived stages that a forward will begin at."""
        return [stage for stage in stages[split:split + 1] if stage.span is not None]

    def _parts(self, images_BCHW: Tensor) -> Sequence[Tensor]:
        if not self.fused:
            return [images_BCHW]
        height, width = images_BCHW.shape[-2:]
        return images_BCHW.split(max(1, _PART_PIXELS // (height * width)))

    def _features(self, x: Tensor) -> Tensor:
        x = self._run(x)
        return self.neck((x.float(),))[0] if self.pooled else x

    def _run_stages(self, x: Tensor) -> Tensor:
        return self.body(x) if self.fused else run_stages(self.body, self._stages, x)

    def _lower(self, dtype: torch.dtype, probe: Tensor) -> None:
        """Weights to a dtype, if the stages can compute in it."""
        derived = any(stage.span is not None for stage in self._stages)
        before = copy.deepcopy(self.body) if derived and dtype != torch.float32 else None
        self._compute_dtype = dtype
        lower(self.body, dtype)
        if before is not None:
            try:
                self(probe)
            except RuntimeError:
                self._compute_dtype = torch.float32
                self.body = before

    def _fuse(self, probe: Tensor) -> None:
        """Let convolutions on a CPU do what follows them, if the features stay what they are."""
        unfused, expected = self.body, self(probe)
        try:
            fused = fuse_pointwise(unfused, self._run_stages)
            if fused is not None:
                self.body, self.fused = fused, True
                difference = relative_difference(self(probe), expected)
                self.fused = difference <= TOLERANCES[self._compute_dtype]
        except (AttributeError, RuntimeError):  # oneDNN's operators are no public interface
            self.fused = False
        if not self.fused:
            self.body = unfused

    def _replay(self, probe: Tensor) -> None:
        """Let CUDA graphs launch the stages, if they can, and the features keep every bit."""
        expected = self(probe)
        self._run = graphs = CudaGraphs(self._run_stages)
        self.graphed = all(torch.equal(self(probe), expected) for _ in range(4)) \
            and graphs.refusal is None
        if not self.graphed:
            self._run = self._run_stages

    def _fold(self, probe: Tensor, reference: Tensor) -> int | None:
        """The number of batch norms folded; None where that came out wrong and was undone."""
        unfolded = self.body
        self.body = copy.deepcopy(unfolded)
        count = fold_batch_norm(self.body, self._run_stages)
        if not count or relative_difference(self(probe), reference) <= TOLERANCES[torch.float32]:
            return count
        self.body = unfolded
        return None


def extract_from(model: nn.Module, features: Tensor, split: int):
    """What `model.extract_feat` gives, from the trunk's output on.

    The modules are the model's own: gradients reach their trainable parameters, and what is frozen
    among them is kept in eval mode.

    Args:
        model: The classifier.
        features: [B, C] or [B, C, H, W], from a Trunk of the same `split`, perhaps kept meanwhile.
            Their precision is kept under autocast, else raised to the parameters'.
        split: As for the Trunk.

    Returns:
        The neck's output (or, without a neck, the backbone's): what the head takes.
    """
    backbone = model.backbone
    stages = list_stages(backbone)
    if not torch.is_autocast_enabled(features.device.type):
        features = features.to(next(model.parameters()).dtype)
    if takes_neck(model, split, len(stages)):
        return (features,)
    if features.ndim == 4 and is_channels_last(backbone) and stages[split - 1].span is None:
        features = features.contiguous(memory_format=torch.channels_last)
    hold_in_eval(backbone)  # as before the backbone's own forward, which is not called
    outputs = run_stages(backbone, stages[split:], features)
    if not isinstance(outputs, tuple):
        outputs = (outputs,)
    return model.neck(outputs) if model.with_neck else outputs


def _why_moving(backbone: nn.Module, stage: Stage) -> str | None:
    """What of a stage training moves or noise changes, in words."""
    held = held_in_eval(backbone)
    for name, parameter in backbone.named_parameters():
        if stage.holds(name) and parameter.requires_grad:
            return f'`{name}` is trainable'
    for name, module in _modules_of(backbone, [stage]):
        if isinstance(module, NORMS) and module.running_mean is None and \
                not isinstance(module, nn.modules.instancenorm._InstanceNorm):
            return f'`{name}` normalises each image by its whole batch'
        if name not in held and _depends_on_mode(module):
            return f'`{name}` is not held in eval mode'
    return None


def _depends_on_mode(module: nn.Module) -> bool:
    """Whether a module may compute otherwise in train mode. Own code is taken to, unread."""
    if isinstance(module, NORMS):
        return module.running_mean is not None
    if isinstance(module, _DROPS):
        return True
    return not type(module).__module__.startswith('torch.nn.')


def _modules_of(backbone: nn.Module, stages: Sequence[Stage]) -> Iterator[tuple[str, nn.Module]]:
    for stage in stages:
        yield from stage.named_modules(backbone)


def _hooked(model: nn.Module, stages: Sequence[Stage]) -> str | None:
    """A hook that would no longer be called, in words."""
    places = [('the model', model), ('the backbone', model.backbone),
              *((f'`{name}`', module) for name, module in _modules_of(model.backbone, stages))]
    if takes_neck(model, len(stages), len(list_stages(model.backbone))):
        places.append(('the neck', model.neck))
    for name, module in places:
        hooks = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
        foreign = [hook for hook in hooks if hook is not hold_in_eval]
        if foreign:
            kind = getattr(foreign[0], '__name__', type(foreign[0]).__name__)
            return f'{name} has the forward hook `{kind}`, which a trunk would not call'
    return None
