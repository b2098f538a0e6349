"""Every backbone as an ordered list of stages: what `model.frozen_stages` counts.

The stages of most backbones are derived from what their forward does (`deriving`). A row of
`_TABLE`, or of `_TIMM_TABLE` for a network of timm that MMPretrain's TIMMBackbone wraps, says
otherwise: the name of the class and a function that lists its stages. The rows of base classes
count for their subclasses. Each stage of a row names child modules in the order in which the
forward applies them; every parameter and buffer of the backbone must lie in exactly one stage, and
what lies between the last stage and the head belongs to the last stage. Where a stage is no plain
sequence of its modules, it brings its own forward. Run one after the other, the stages are the
backbone's own forward to the bit; `why_not_composed` puts that to the proof.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor, nn

from amlnn.errors import ConfigError
from amlnn.models.images.calls import in_eval_mode
from amlnn.models.images.deriving import Derived, derive, equal
from amlnn.models.images.probing import image_of
from amlnn.models.images.splicing import Span, run_past, run_span

__all__ = ['STEM', 'Stage', 'backbone_kind', 'gives_tensor', 'list_stages', 'outputs_of_stages',
           'run_stages', 'why_no_stages', 'why_not_composed']

STEM = 'stem'


@dataclass(frozen=True)
class Stage:
    """A run of child modules of a backbone that is frozen as one."""

    name: str
    modules: tuple[str, ...]
    """Every module that the stage applies, named from the backbone, in order. Of a derived stage
    also parameters and buffers whose module has others in another stage."""
    forward: Callable[[nn.Module, Tensor], Tensor] | None = None
    """Called with backbone and input, where the stage is no plain sequence of its modules."""
    span: Span | None = None
    """The part of the backbone's own forward that a derived stage is."""

    def holds(self, parameter: str) -> bool:
        """Whether a parameter or module, named from the backbone, belongs to this stage."""
        return any(parameter == name or parameter.startswith(name + '.') for name in self.modules)

    def named_modules(self, backbone: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        """All modules of the stage, those inside of others too, under their names in the backbone.
        """
        for name in self.modules:
            part = _part(backbone, name)
            if isinstance(part, nn.Module):
                yield from part.named_modules(prefix=name)

    def run(self, backbone: nn.Module, x: Tensor) -> Tensor:
        """The stage's output for the output of the stage before it."""
        if self.span is not None:
            return run_span(backbone, self.span, x)
        if self.forward is not None:
            return self.forward(backbone, x)
        for name in self.modules:
            x = backbone.get_submodule(name)(x)
        return x


def _part(backbone: nn.Module, name: str) -> nn.Module | Tensor:
    parent, _, last = name.rpartition('.')
    return getattr(backbone.get_submodule(parent), last)


def _resnet(backbone: nn.Module) -> list[Stage]:
    # deep_stem (ResNetV1c, V1d) keeps its three convolutions in one child; CIFAR's has no pooling.
    stem = ('stem',) if getattr(backbone, 'deep_stem', False) else ('conv1', backbone.norm1_name)
    stem = (*stem, *(() if 'stem' in stem else ('relu',)),
            *(('maxpool',) if hasattr(backbone, 'maxpool') else ()))
    return [Stage(STEM, stem), *(Stage(name, (name,)) for name in backbone.res_layers)]


def _vgg(backbone: nn.Module) -> list[Stage]:
    # No stem: five groups of convolutions, each with the pooling that ends it.
    groups = [tuple(f'features.{index}' for index in range(*span))
              for span in backbone.range_sub_modules]
    stages = [Stage(f'stage{number}', group) for number, group in enumerate(groups, 1)]
    if hasattr(backbone, 'classifier'):
        stages[-1] = Stage(stages[-1].name, (*groups[-1], 'classifier'), _last_group_of_vgg)
    return stages


def _last_group_of_vgg(backbone: nn.Module, x: Tensor) -> Tensor:
    for index in range(*backbone.range_sub_modules[-1]):
        x = backbone.features[index](x)
    return backbone.classifier(x.flatten(1))


def _densenet(backbone: nn.Module) -> list[Stage]:
    # MMPretrain too counts a transition to the stage before it; the last is a norm and a relu.
    return [Stage(STEM, ('stem',)), *(
        Stage(f'stage{index + 1}', (f'stages.{index}', f'transitions.{index}'))
        for index in range(backbone.num_stages))]


def _mobilenet_v3(backbone: nn.Module) -> list[Stage]:
    # A stage begins wherever a block halves the feature map, the first one in any case. The last
    # convolution is no block, and belongs to the last stage.
    stem, *blocks, last = backbone.layers
    groups: list[list[str]] = []
    for name in blocks:
        if not groups or backbone.get_submodule(name).depthwise_conv.stride != (1, 1):
            groups.append([])
        groups[-1].append(name)
    groups[-1].append(last)
    return [Stage(STEM, (stem,)), *(Stage(f'stage{number}', tuple(group))
                                    for number, group in enumerate(groups, 1))]


def _inception_v3(backbone: nn.Module) -> list[Stage]:
    # The stem is what the papers of versions 3 and 4 call so: everything before the first mixed
    # block. MMPretrain's own class ends in a classifier, beside which an auxiliary one may stand.
    ends = ('AuxLogits', 'avgpool', 'dropout', 'global_pool', 'head_drop', 'fc')
    names = [name for name, _ in backbone.named_children() if name not in ends]
    groups = [tuple(name for name in names if name.startswith(f'Mixed_{size}'))
              for size in (5, 6, 7)]
    groups[-1] += tuple(name for name, _ in backbone.named_children() if name in ends)
    return [Stage(STEM, tuple(name for name in names if not name.startswith('Mixed_'))),
            *(Stage(f'stage{number}', group) for number, group in enumerate(groups, 1))]


def _resnet_v2(network: nn.Module) -> list[Stage]:
    last = len(network.stages)
    return [Stage(STEM, ('stem',)), *(
        Stage(f'stage{number}', (f'stages.{number - 1}',
                                 *(('norm', 'head') if number == last else ())))
        for number in range(1, last + 1))]


def _inception_v4(network: nn.Module) -> list[Stage]:
    # Four blocks A; a reduction and seven blocks B; a reduction and three blocks C.
    spans = {STEM: (0, 6), 'stage1': (6, 10), 'stage2': (10, 18), 'stage3': (18, 22)}
    ends = ('global_pool', 'head_drop', 'last_linear')
    return [Stage(name, (*(f'features.{index}' for index in range(*span)),
                         *(ends if name == 'stage3' else ())))
            for name, span in spans.items()]


def _efficientnet(network: nn.Module) -> list[Stage]:
    # What timm calls a stage too; the convolution behind them belongs to the last.
    last = len(network.blocks)
    return [Stage(STEM, ('conv_stem', 'bn1')), *(
        Stage(f'stage{number}', (f'blocks.{number - 1}', *(
            ('conv_head', 'bn2', 'global_pool', 'classifier') if number == last else ())))
        for number in range(1, last + 1))]


def _plain_cnn(backbone: nn.Module) -> list[Stage]:
    # No stem: groups of convolutions, each with the pooling that ends it.
    return [Stage(f'stage{index + 1}', (f'groups.{index}',))
            for index in range(len(backbone.groups))]


_TABLE: dict[str, Callable[[nn.Module], list[Stage] | None]] = {
    'DenseNet': _densenet,
    'InceptionV3': _inception_v3,
    'MobileNetV3': _mobilenet_v3,
    'PlainCNN': _plain_cnn,
    'ResNet': _resnet,
    'VGG': _vgg,
}

# By the class of the wrapped network, whose modules the stages are named from. What
# `features_only=True` makes of a network is of another class, and returns other features.
_TIMM_TABLE: dict[str, Callable[[nn.Module], list[Stage] | None]] = {
    'EfficientNet': _efficientnet,
    'InceptionV3': _inception_v3,
    'InceptionV4': _inception_v4,
    'ResNetV2': _resnet_v2,
}


def backbone_kind(backbone: nn.Module) -> str:
    """The name of a backbone's class, with that of the network it wraps."""
    inner = getattr(backbone, 'timm_model', None)
    kind = type(backbone).__name__
    return kind if inner is None else f'{kind} ({type(inner).__name__})'


def list_stages(backbone: nn.Module) -> list[Stage] | None:
    """The stages of a backbone in order, the stem (if it has one) first, or None if it has none.

    The first time, a backbone without a row runs on a few images of noise.

    Raises:
        ConfigError: the row does not cover the backbone (a variant the table does not know).

    >>> from mmpretrain.models.backbones import ResNet
    >>> [stage.name for stage in list_stages(ResNet(18))]
    ['stem', 'layer1', 'layer2', 'layer3', 'layer4']
    """
    stages = _row_of(backbone) or _derived_stages(backbone)
    if stages is None:
        return None
    for name in backbone.state_dict():
        owners = [stage.name for stage in stages if stage.holds(name)]
        if len(owners) != 1:
            raise ConfigError(
                f'`{backbone_kind(backbone)}` has the tensor `{name}` in the stages {owners}, not '
                'in exactly one', hint="use frozen_stages=-1 or 'all', which need no stages")
    return stages


def _row_of(backbone: nn.Module) -> list[Stage] | None:
    inner = getattr(backbone, 'timm_model', None)
    table, network = (_TABLE, backbone) if inner is None else (_TIMM_TABLE, inner)
    row = next((table[base.__name__] for base in type(network).__mro__ if base.__name__ in table),
               None)
    stages = row(network) if row else None
    if stages is None or inner is None:
        return stages
    return [Stage(stage.name, tuple(f'timm_model.{name}' for name in stage.modules))
            for stage in stages]


def _derived(backbone: nn.Module) -> Derived | str:
    """What is known of a backbone without a row, or why nothing is."""
    known = vars(backbone).get('_amlnn_derived')
    if known is None:
        image = image_of(backbone)
        known = backbone._amlnn_derived = (
            'no size of images was found that it takes' if image is None
            else derive(backbone, image) or 'its forward has no list of like steps')
    return known


def gives_tensor(backbone: nn.Module) -> bool:
    """Whether all that a backbone with stages gives to what follows it is one tensor."""
    return _row_of(backbone) is not None or _derived(backbone).gives_tensor


def _derived_stages(backbone: nn.Module) -> list[Stage] | None:
    derived = _derived(backbone)
    if isinstance(derived, str):
        return None
    first = 0 if derived.has_stem else 1
    return [Stage(f'stage{number}' if number else STEM, stage.modules, span=stage.span)
            for number, stage in enumerate(derived.stages, first)]


def why_no_stages(backbone: nn.Module) -> str | None:
    """One line on why `list_stages` gives None, or None where it does not."""
    if _row_of(backbone) is not None:
        return None
    derived = _derived(backbone)
    return derived if isinstance(derived, str) else None


def run_stages(backbone: nn.Module, stages: Sequence[Stage], x: Tensor) -> Tensor:
    """Run stages that follow one another, such as the first ones or the last ones.

    Args:
        backbone: Whose modules are applied. Its own hooks are not called.
        stages: A slice of `list_stages(backbone)`.
        x: Images, [B, 3, H, W], for the first stage; else the output of the stage before.

    Returns:
        The last stage's output. After all stages the backbone's forward gives it as `(output,)`;
        where that gives several, all of them.
    """
    for derived, group in groupby(stages, key=lambda stage: stage.span is not None):
        following = list(group)
        if derived:  # as one part, so that what comes before it is passed over once
            x = run_span(backbone, Span(following[0].span.first, following[-1].span.last), x)
            continue
        for stage in following:
            x = stage.run(backbone, x)
    return x


def outputs_of_stages(backbone: nn.Module, stages: Sequence[Stage], images_BCHW: Tensor) -> list:
    """What each stage gives, in one forward; the last as `run_stages` does after all of them.

    Args:
        backbone: As of `run_stages`.
        stages: All of them.
        images_BCHW: Images.
    """
    if stages[0].span is not None:
        seen, result = run_past(backbone, [stage.span.last for stage in stages[:-1]], images_BCHW)
        return [*(seen[stage.span.last] for stage in stages[:-1]), result]
    outputs, x = [], images_BCHW
    for stage in stages:
        x = stage.run(backbone, x)
        outputs.append(x)
    return outputs


@torch.no_grad()
def why_not_composed(backbone: nn.Module, image_BCHW: Tensor) -> str | None:
    """One line on why a backbone cannot be split into its stages, or None if it can.

    The backbone and its stages both run once, in eval mode, and must agree in every bit.

    Args:
        backbone: One with a row in the table; left as it was.
        image_BCHW: Any images of a size the backbone takes.
    """
    kind = backbone_kind(backbone)
    row = _row_of(backbone)
    with in_eval_mode(backbone):
        outputs = backbone(image_BCHW)
        if row is not None and (not isinstance(outputs, tuple) or len(outputs) != 1):
            count = len(outputs) if isinstance(outputs, tuple | list) else 'no tuple of'
            return f'{kind} returns {count} feature maps (out_indices); one can be split, the last'
        derived = _derived(backbone) if row is None else None
        reason = derived if isinstance(derived, str) else derived and derived.reason
        if reason:
            return f'{kind} cannot be split: {reason}'
        composed = run_stages(backbone, list_stages(backbone), image_BCHW)
    if isinstance(outputs, tuple) and len(outputs) == 1:
        outputs = outputs[0]
    if not equal(outputs, composed):
        indices = getattr(backbone, 'out_indices', None)
        place = f' (out_indices={indices})' if indices is not None else ''
        return f'the output of {kind}{place} is not that of its stages, run one after the other'
    return None
