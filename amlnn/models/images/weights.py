"""Pretrained weights: loading a file, counting what matched, saying what did not."""

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor, nn

from amlnn.errors import WeightsError
from amlnn.models.images.adapting import adapt, computed_names
from amlnn.models.images.conversion import convert
from amlnn.models.images.freezing import frozen_tensors
from amlnn.models.images.networks import classifier_layers, network_of
from amlnn.models.images.normalisation import (
    contradiction,
    normalisation_of_model,
    normalisation_of_weights,
)
from amlnn.models.images.stages import backbone_kind
from amlnn.models.images.weights_file import best_prefix, read_file, without

__all__ = ['COUNTER', 'LEAST_MATCHED', 'LoadedWeights', 'count_head_classes', 'listed',
           'load_pretrained', 'refuse_frozen_gaps', 'under', 'why_not']

LEAST_MATCHED = 0.95
_MOST_NAMED = 20
_HEAD_PREFIXES = ('head.', 'fc.', 'classifier.', 'last_linear.')
_USUAL_PREFIXES = ('', 'backbone.', 'module.')
_ABSENT = 'is not in the file'
COUNTER = 'num_batches_tracked'  # of seen batches: no weight, and old files do not have it


@dataclass(frozen=True)
class LoadedWeights:
    """What `load_pretrained` did."""

    path: Path
    matched: int
    total: int
    head: bool
    missing: Mapping[str, str] = field(default_factory=dict)
    """Tensors of the network that stay random, and why."""
    unused: tuple[str, ...] = ()
    """Tensors of the file that were not taken."""
    notes: tuple[str, ...] = ()
    """What was taken of the file, and what was adapted."""
    part: str = 'backbone'
    warning: str | None = None
    """What contradicts them in the model."""
    within: str = ''
    """What stands before the names of the backbone's tensors."""

    def __str__(self):
        share = f'{self.matched} of {self.total} {self.part} tensors'
        lines = [f'{share}{" and the head" if self.head else ""} from {self.path}', *self.notes]
        if self.missing:
            stays = 'stays' if len(self.missing) == 1 else 'stay'
            lines.append(f'{_tensors(len(self.missing))} of the {self.part} {stays} random: '
                         f'{_with_reasons(self.missing)}')
        if self.unused:
            lines.append(f'{_tensors(len(self.unused))} of the file not used: '
                         f'{listed(self.unused)}')
        shown = [f'pretrained: {line}' for line in lines]
        return '\n'.join([*shown, f'warning: {self.warning}'] if self.warning else shown)


def load_pretrained(model: nn.Module, path: Path, head: bool = False,
                    called: str | None = None, prefix: str = '') -> LoadedWeights:
    """Load a file's weights into a classifier's backbone, and with `head` into its head.

    Args:
        model: An ImageClassifier, with `backbone` and `head`; or a classifier that holds a whole
            network of timm's or transformers'.
        path: From `find_weights`.
        head: Load the classification layers too; their number, shapes and classes must agree.
        called: What the config calls the weights, such as 'timm://inception_v4'.
        prefix: Of the names in the file that are meant; '' for what fits best.

    Raises:
        WeightsError: fewer than 95 % of the backbone's tensors match by name and shape, or the
            head's do not.
    """
    network = network_of(model, '`model.pretrained` is set')
    file = read_file(path)
    layers = classifier_layers(model)
    target = {name: tensor for name, tensor in network.state_dict().items()
              if head or not _inside(name, layers)}
    computed = computed_names(network)
    wanted = [name for name in target if name not in computed and not name.endswith(COUNTER)]
    tensors = under(file.tensors, prefix, path)
    prefix, apart = best_prefix(tensors, _count_of(target, network))
    tensors = without(tensors, prefix)
    converted = {name: tensor for name, tensor in convert(tensors, network).items()
                 if name not in computed}
    source, adapted = adapt(converted, network)
    matched = {name: source[name] for name in target
               if name in source and why_not(source[name], target[name]) is None}
    missing = {name: why_not(source.get(name), target[name]) for name in wanted
               if name not in matched}
    part = 'backbone' if network is getattr(model, 'backbone', None) else 'network'
    _check_share(path, network, wanted, missing, file.tensors)
    if layers and head:
        _check_layers(path, layers, missing, source, target)
    network.load_state_dict(matched, strict=False)
    if head and not layers:
        _load_head(model.head, tensors, path)
    unused = [name.removeprefix('timm_model.') for name in source
              if name not in matched and name not in missing and not name.endswith(COUNTER)
              and not (head and _is_head(name))]
    return LoadedWeights(
        path, len(wanted) - len(missing), len(wanted), head, missing, tuple(unused),
        (*file.notes, *_prefix_notes(prefix, apart), *adapted), part,
        contradiction(normalisation_of_weights(path, network, called),
                      normalisation_of_model(model)))


def under(tensors: Mapping[str, Tensor], prefix: str, path: Path) -> dict[str, Tensor]:
    """The tensors below a prefix, which is taken off; all for ''.

    Raises:
        WeightsError: there is none.
    """
    prefix = f'{prefix.rstrip(".")}.' if prefix else ''
    found = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()
             if name.startswith(prefix)}
    if not found:
        raise WeightsError(f'`{path}` has nothing under the prefix `{prefix}`',
                           hint=f'the file holds {listed(tensors)}')
    return found


def refuse_frozen_gaps(model: nn.Module, loaded: LoadedWeights) -> None:
    """Ask of a model, once it is frozen, whether its weights left anything random in what is.

    Raises:
        WeightsError: they did; names it.
    """
    if loaded.part not in ('backbone', 'network', 'model'):
        return
    frozen = frozen_tensors(network_of(model, '`model.pretrained` is set'))
    gaps = {name.removeprefix(loaded.within): reason for name, reason in loaded.missing.items()
            if name.startswith(loaded.within) and name.removeprefix(loaded.within) in frozen}
    if gaps:
        modules = dict.fromkeys(name.rpartition('.')[0] or name for name in gaps)
        trained = ', '.join(f"'{name}'" for name in list(modules)[:3])
        raise WeightsError(
            f'`{loaded.path}` does not give {_tensors(len(gaps))} of what is frozen, which would '
            f'stay random: {_with_reasons(gaps)}',
            hint=f'train what is missing: model.trainable=[{trained}'
            f'{", ..." if len(modules) > 3 else ""}]; or freeze nothing: model.frozen_stages=-1; '
            'or take weights of this very network')


def _tensors(count: int) -> str:
    return f'{count} tensor{"s" if count != 1 else ""}'


def _inside(name: str, modules: Iterable[str]) -> bool:
    return any(name.startswith(f'{module}.') for module in modules)


def _is_head(name: str) -> bool:
    return name.removeprefix('timm_model.').startswith(_HEAD_PREFIXES)


def _count_of(target: Mapping[str, Tensor], network: nn.Module) -> Callable[[dict], int]:
    """How many names of a network are among tensors; equal shapes decide between equal names."""
    def count(tensors: dict[str, Tensor]) -> int:
        names = convert(tensors, network)
        found = [name for name in target if name in names]
        return 2 * len(found) + sum(names[name].shape == target[name].shape for name in found)
    return count


def why_not(given: Tensor | None, wanted: Tensor) -> str | None:
    """Why a tensor of a file does not fit; None where it does."""
    if given is None:
        return _ABSENT
    if given.shape != wanted.shape:
        return f'has shape {tuple(given.shape)}, not {tuple(wanted.shape)}'
    if given.is_quantized or (wanted.is_floating_point() and not given.is_floating_point()):
        return f'holds {str(given.dtype).removeprefix("torch.")}, which are no weights'
    return None


def _check_share(path: Path, network: nn.Module, wanted: list[str],
                 missing: Mapping[str, str], held: Iterable[str]) -> None:
    count = len(wanted) - len(missing)
    if count < LEAST_MATCHED * len(wanted):
        # A name that is there in another shape tells more than one that is not.
        example = min(missing, key=lambda name: missing[name] == _ABSENT)
        raise WeightsError(
            f'`{path}` fits {count} of the {len(wanted)} tensors of '
            f'{backbone_kind(network)}: `{example}` {missing[example]}',
            hint='the weights belong to another architecture: the file holds '
            f'{listed(name for name in held if not name.endswith(COUNTER))}')


def _check_layers(path: Path, layers: Iterable[str], missing: Mapping[str, str],
                  source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
    """Refuse a file whose classification layer is not that of a whole network."""
    for name, reason in missing.items():
        if not _inside(name, layers):
            continue
        classes = f'has {len(source[name])} classes, the model has {len(target[name])}' \
            if name in source else f'is incomplete: `{name}` {reason}'
        raise WeightsError(f'the head in `{path}` {classes}',
                           hint='set model.pretrained_head=False to train a new head')


def _prefix_notes(prefix: str, apart: list[str]) -> list[str]:
    if not apart and prefix in _USUAL_PREFIXES:
        return []
    beside = f'; `{apart[0]}` fits as well' if apart else ''
    return [f'took the tensors under `{prefix}`{beside}']


def _with_reasons(missing: Mapping[str, str]) -> str:
    absent = [name for name, reason in missing.items() if reason == _ABSENT]
    said = [f'`{name}` {reason}' for name, reason in missing.items() if reason != _ABSENT]
    if absent:
        said.append(f'{listed(absent)} {"is" if len(absent) == 1 else "are"} not in the file')
    return '; '.join(said)


def listed(names: Iterable[str]) -> str:
    """All names where they are few, else how many there are in each part."""
    names = list(names)
    if len(names) <= _MOST_NAMED // 2:
        return ', '.join(f'`{name}`' for name in names)
    parts = Counter(map(operator.itemgetter(0), (name.partition('.') for name in names)))
    shown = [f'`{part}.*` ({count})' if count > 1 else f'`{part}`'
             for part, count in parts.items()]
    more = len(shown) - _MOST_NAMED // 2
    return ', '.join(shown[:_MOST_NAMED // 2]) + (f' and {more} parts more' if more > 0 else '')


def count_head_classes(tensors: Mapping[str, Tensor]) -> int | None:
    """Classes of the head among a file's tensors; None where there is no head."""
    layers = _head_in(tensors)
    return layers[-1]['weight'].shape[0] if layers else None


def _load_head(head: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    layers = [(name, layer) for name, layer in head.named_modules() if isinstance(layer, nn.Linear)]
    kind = type(head).__name__
    if not layers:
        raise WeightsError(f'`model.pretrained_head` is set, and {kind} has no dense layer',
                           hint='set model.pretrained_head=False')
    own = [_layer_in(tensors, f'head.{name}') for name, _ in layers]
    found = own if all(own) else _head_in(tensors)
    if not found:
        raise WeightsError(f'`model.pretrained_head` is set, and `{path}` holds no head',
                           hint='set model.pretrained_head=False')
    if len(found) != len(layers):
        hidden = tuple(each['weight'].shape[0] for each in found[:-1])
        raise WeightsError(
            f'the head in `{path}` has {len(found)} dense layers, {kind} has {len(layers)}',
            hint=f"model.head=dict(type='DenseHead', hidden_channels={hidden}) has as many, or set "
            'model.pretrained_head=False')
    classes, wanted = found[-1]['weight'].shape[0], layers[-1][1].weight.shape[0]
    if classes != wanted:
        raise WeightsError(f'the head in `{path}` has {classes} classes, the model has {wanted}',
                           hint='set model.pretrained_head=False to train a new head')
    for (name, layer), values in zip(layers, found, strict=True):
        if values['weight'].shape != layer.weight.shape:
            raise WeightsError(
                f'the head in `{path}` has a dense layer of shape {tuple(values["weight"].shape)}, '
                f'where `model.head` has {tuple(layer.weight.shape)} (`{name}`)',
                hint='set model.pretrained_head=False to train a new head')
        layer.load_state_dict(values)


def _head_in(tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    """Weights and biases of a library's head, first layer to last."""
    for prefix in _HEAD_PREFIXES:
        names = sorted((name.removesuffix('.weight') for name in tensors
                        if name.startswith(prefix) and name.endswith('.weight')), key=_by_number)
        layers = [layer for name in names if (layer := _layer_in(tensors, name))]
        if layers:
            return layers
    return []


def _by_number(name: str) -> list[tuple[bool, int, str]]:
    # Files of safetensors are in alphabetical order: 10 before 2.
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in name.split('.')]


def _layer_in(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor] | None:
    weight, bias = tensors.get(f'{name}.weight'), tensors.get(f'{name}.bias')
    if weight is None or bias is None or weight.ndim < 2:
        return None  # a norm, or nothing
    if weight.shape[2:].numel() == 1:  # some heads of timm's are convolutions of one pixel
        weight = weight.flatten(1)
    return {'weight': weight, 'bias': bias}
