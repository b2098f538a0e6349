"""One meaning of "frozen" for every backbone.

`frozen_stages` is -1 for nothing, 0 for the stem, n for the stem and the first n stages, 'all' for
the whole backbone. Frozen means bit-identical after training: no gradient for the parameters, and
the modules stay in eval mode, so that batch-norm statistics stand still and dropout is off.
"""

from collections.abc import Callable, Sequence, Set
from functools import partial

from torch import nn

from amlnn.errors import ConfigError
from amlnn.models.images.calls import set_mode
from amlnn.models.images.networks import classifier_layers, network_of
from amlnn.models.images.stages import STEM, Stage, backbone_kind, list_stages, why_no_stages
from amlnn.models.parameters import parameter_row
from amlnn.records import FrozenStage

__all__ = ['freeze', 'freeze_model', 'frozen_tensors', 'held_in_eval', 'hold_in_eval',
           'parts_of', 'refreeze', 'stage_table']

Holds = Callable[[str], bool]


def freeze(backbone: nn.Module, frozen_stages: int | str, trainable: Sequence[str] = ()) -> None:
    """Freeze the first stages of a backbone.

    Args:
        backbone: The backbone; stays usable as before.
        frozen_stages: -1 nothing, 0 the stem, n the stem and n stages, 'all' everything.
        trainable: Prefixes of parameter names, such as 'layer4.2.conv3', that are re-opened.

    Raises:
        ConfigError: there are not that many stages, there is no stem, the backbone has no stages,
            or a prefix matches no parameter of a frozen stage.

    >>> from mmpretrain.models.backbones import ResNet
    >>> backbone = ResNet(18)
    >>> freeze(backbone, 1)
    >>> {name.split('.')[0] for name, p in backbone.named_parameters() if not p.requires_grad}
    ... # doctest: +SKIP
    {'conv1', 'bn1', 'layer1'}
    """
    inside = _frozen_test(backbone, frozen_stages)
    prefixes = tuple(name.removeprefix('backbone.') for name in trainable)
    for prefix in prefixes:
        if not any(inside(name) and _under(name, prefix) for name, _ in
                   backbone.named_parameters()):
            raise ConfigError(
                f"`model.trainable` has `{prefix}`, which no parameter of the backbone's frozen "
                'stages begins with',
                hint=f'names begin like {", ".join(_examples(backbone, inside, prefix))}')

    def is_frozen(name: str) -> bool:
        return inside(name) and not any(_under(name, prefix) for prefix in prefixes)

    closed = {name: parameter for name, parameter in backbone.named_parameters()
              if parameter.requires_grad and is_frozen(name)}
    for parameter in closed.values():
        parameter.requires_grad_(False)
    backbone._amlnn_closed = set(closed)
    held = {name for names, module in _names_of_modules(backbone)
            if any(map(is_frozen, names)) and not _holds_trainable(module) for name in names}
    if held:
        if hasattr(backbone, 'no_custom_backward'):
            # RevViT's own passes no gradient to what comes after a frozen stem.
            backbone.no_custom_backward = True
        backbone._amlnn_held_in_eval = held
        # MMEngine calls model.train() before every epoch and after every validation, and several
        # backbones override it; a check before each forward holds against all of them.
        if hold_in_eval not in backbone._forward_pre_hooks.values():
            backbone.register_forward_pre_hook(hold_in_eval)
        hold_in_eval(backbone)


def freeze_model(model: nn.Module, frozen_stages: int | str, trainable: Sequence[str] = ()) -> None:
    """Freeze the first stages of a classifier's backbone; see `freeze`.

    A network of another library that has its classification layer inside has no stages: -1 and
    'all', which leaves that layer to be trained, are what it takes.

    Raises:
        ConfigError: as `freeze`; or stages are asked of a model that has none.
    """
    asked = f'`model.frozen_stages` is {frozen_stages!r}'
    layers = classifier_layers(model)
    if frozen_stages == -1 and not trainable and getattr(model, 'backbone', None) is None:
        return
    network = network_of(model, asked)
    if network is getattr(model, 'backbone', None):
        freeze(network, frozen_stages, trainable)
        return
    kind = type(model).__name__
    if frozen_stages not in (-1, 'all'):
        raise ConfigError(
            f'{asked}, and {kind} takes a network whole, without stages',
            hint="use -1 or 'all'; or model.type='ImageClassifier' with the backbone TIMMBackbone, "
            'which has stages, and a head')
    if frozen_stages == 'all' and not (layers or trainable):
        raise ConfigError(f'{asked}, and {kind} has no classification layer: nothing would train',
                          hint='use -1, or name what is trained: model.trainable')
    freeze(network, frozen_stages, (*layers, *(name.removeprefix('model.') for name in trainable)))


def refreeze(model: nn.Module, frozen_stages: int | str) -> None:
    """Freeze other stages of a classifier than `freeze_model` did before.

    Args:
        model: Frozen by `freeze_model`, without parts that are re-opened. What its backbone froze
            itself stays frozen.
        frozen_stages: As of `freeze`.

    Raises:
        ConfigError: as `freeze_model`.
    """
    network = network_of(model, f'`model.unfreeze` has {frozen_stages!r}')
    closed = getattr(network, '_amlnn_closed', set())
    for name, parameter in network.named_parameters():
        if name in closed:
            parameter.requires_grad_(True)
    network._amlnn_closed, network._amlnn_held_in_eval = set(), set()
    freeze_model(model, frozen_stages)


def frozen_tensors(network: nn.Module) -> set[str]:
    """Names of the parameters and buffers that training does not move."""
    held = held_in_eval(network)
    names = set()
    for place, module in network.named_modules():
        parameters = list(module.parameters(recurse=False))
        still = place in held or (
            bool(parameters) and not any(each.requires_grad for each in parameters))
        start = f'{place}.' if place else ''
        names |= {start + name for name, each in module.named_parameters(recurse=False)
                  if not each.requires_grad}
        names |= {start + name for name, _ in module.named_buffers(recurse=False) if still}
    return names


def parts_of(model: nn.Module) -> list[tuple[str, Holds]]:
    """The parts of a classifier: its stages, neck and head.

    Returns:
        The name of each, and what tells whether a parameter or module, by its name in the model, is
        of it.
    """
    backbone = getattr(model, 'backbone', None)
    if backbone is None:
        layers = [f'model.{layer}' for layer in classifier_layers(model)]
        if not layers:
            return [('model', lambda name: True)]

        def in_head(name: str) -> bool:
            return any(_under(name, layer) for layer in layers)

        return [('network', lambda name: not in_head(name)), ('head', in_head)]
    stages = list_stages(backbone)
    parts: list[tuple[str, Holds]] = [('backbone', partial(_under, prefix='backbone'))] \
        if stages is None else [(stage.name, partial(_in_stage, stage)) for stage in stages]
    return [*parts, *((name, partial(_under, prefix=name)) for name in ('neck', 'head'))]


def stage_table(model: nn.Module) -> list[FrozenStage]:
    """What is frozen in a classifier, stage by stage, then neck and head."""
    named = list(model.named_parameters())
    rows = [parameter_row(name, [each for path, each in named if holds(path)])
            for name, holds in parts_of(model)]
    return [row for row in rows if row.total_parameters or row.name not in ('neck', 'head')]


def _in_stage(stage: Stage, name: str) -> bool:
    return name.startswith('backbone.') and stage.holds(name.removeprefix('backbone.'))


def _frozen_test(backbone, frozen_stages):
    """A function that tells whether a name lies in the frozen stages, before re-opening."""
    if frozen_stages == -1:
        return lambda name: False
    if frozen_stages == 'all':
        return lambda name: True
    kind = backbone_kind(backbone)
    stages = list_stages(backbone)
    if stages is None:
        raise ConfigError(
            f'`model.frozen_stages` is {frozen_stages}, and `{kind}` has no stages: '
            f'{why_no_stages(backbone)}',
            hint="use -1 for nothing or 'all' for the whole backbone")
    stem = [stage for stage in stages if stage.name == STEM]
    body = [stage for stage in stages if stage.name != STEM]
    if frozen_stages == 0 and not stem:
        raise ConfigError(f'`model.frozen_stages` is 0, and `{kind}` has no stem',
                          hint='use -1 to freeze nothing, 1 for the first stage')
    if not 0 <= frozen_stages <= len(body):
        raise ConfigError(
            f'`model.frozen_stages` is {frozen_stages}, and `{kind}` has {len(body)} stages',
            hint=f"-1 freezes nothing, {0 if stem else 1} to {len(body)} that many stages, 'all' "
            'the whole backbone')
    frozen = stem + body[:frozen_stages]
    return lambda name: any(stage.holds(name) for stage in frozen)


def _names_of_modules(backbone) -> list[tuple[list[str], nn.Module]]:
    """Every module in a backbone with its names: one that several share has some."""
    found: dict[nn.Module, list[str]] = {}
    for name, module in backbone.named_modules(remove_duplicate=False):
        if name:
            found.setdefault(module, []).append(name)
    return [(names, module) for module, names in found.items()]


def _under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + '.')


def _holds_trainable(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


def _examples(backbone, inside, prefix: str) -> list[str]:
    modules = [name.rpartition('.')[0] for name, _ in backbone.named_parameters() if inside(name)]
    near = [name for name in modules if name.startswith(prefix.split('.')[0])] or modules
    return list(dict.fromkeys(near))[-3:] or ['(nothing is frozen)']


def held_in_eval(backbone: nn.Module) -> Set[str]:
    """Names of the modules that freezing holds in eval mode."""
    # The names travel with the module, so a deep copy (an exponential moving average) holds too.
    return getattr(backbone, '_amlnn_held_in_eval', frozenset())


def hold_in_eval(backbone: nn.Module, inputs=None) -> None:
    """Put what is frozen back into eval mode; called before every forward of the backbone."""
    held = held_in_eval(backbone)
    for name, module in backbone.named_modules() if held else ():
        if module.training and name in held:
            set_mode(module, False)
