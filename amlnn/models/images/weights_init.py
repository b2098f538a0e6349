"""Weights that `init_cfg=dict(type='Pretrained', ...)` names, of a model or any part of it.

MMEngine would load them without a word of what did not fit. Here a file is read by the safe loader,
its tensors are counted, and under 95 % is an error, as with `model.pretrained`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from amlnn.config.weight_sources import NamedWeights, named_weights
from amlnn.errors import ConfigError, WeightsError
from amlnn.models.images.adapting import adapt, computed_names
from amlnn.models.images.conversion import convert
from amlnn.models.images.weights import (
    COUNTER,
    LEAST_MATCHED,
    LoadedWeights,
    listed,
    load_pretrained,
    under,
    why_not,
)
from amlnn.models.images.weights_file import best_prefix, read_file, without
from amlnn.models.images.weights_place import find_init_weights

__all__ = ['InitWeights', 'load_part']


class InitWeights:
    """The files that a config's `init_cfg` name: found before the model is built, loaded after.

    Args:
        config: With the section `model`.

    Raises:
        WeightsError: one of them is nowhere to be had.
    """

    def __init__(self, config: Mapping[str, Any]):
        self._named: list[NamedWeights] = [each for each in named_weights(config) if not each.built]
        self._paths = {}
        for each in self._named:
            self._paths[each.source] = find_init_weights(each.source, each.key)
        self._loaded: list[LoadedWeights] = []
        self._taken: list[str] = []

    def loader(self, model: nn.Module) -> Callable[[nn.Module, str, str], None]:
        """What loads a file into a part of a model, given the part, the file, and a prefix or ''.
        """
        def load(module: nn.Module, checkpoint: str, prefix: str) -> None:
            path = self._paths.get(checkpoint) or find_init_weights(checkpoint, 'init_cfg')
            self._taken.append(checkpoint)
            self._loaded.append(load_part(model, module, path, prefix, checkpoint))
        return load

    def done(self) -> list[LoadedWeights]:
        """What was loaded.

        Raises:
            ConfigError: a file was named for a part that loads none.
        """
        left = next((each for each in self._named if each.source not in self._taken), None)
        if left:
            raise ConfigError(f'`{left.key}` names the weights `{left.source}`, and that part of '
                              'the model does not load them',
                              hint=f'model.pretrained={left.source!r} for those of a backbone')
        return self._loaded


def load_part(model: nn.Module, module: nn.Module, path: Path, prefix: str = '',
              called: str | None = None) -> LoadedWeights:
    """Load a file's weights into a model or a part of it.

    Args:
        model: The whole.
        module: The part, or the model.
        path: From `find_init_weights`.
        prefix: Of the names in the file that are meant; '' for all.
        called: What the config calls the file.

    Raises:
        WeightsError: fewer than 95 % of the part's tensors match by name and shape.
    """
    backbone = getattr(model, 'backbone', None)
    if module is backbone:
        return load_pretrained(model, path, called=called, prefix=prefix)
    part = next((name for name, each in model.named_modules() if each is module), '') or 'model'
    file = read_file(path)
    target = module.state_dict()
    computed = computed_names(module)
    wanted = [name for name in target if name not in computed and not name.endswith(COUNTER)]
    if not wanted:
        raise ConfigError(f'`init_cfg` of `{part}` names the weights `{path}`, and '
                          f'{type(module).__name__} has none', hint='take it out')
    tensors = under(file.tensors, prefix, path)
    if not prefix:
        tensors = without(tensors, best_prefix(tensors, _count_in(target))[0])
    adapted: list[str] = []
    if part == 'model' and isinstance(backbone, nn.Module):
        tensors, adapted = _with_converted(tensors, backbone)
    missing = {name: why_not(tensors.get(name), target[name]) for name in wanted}
    missing = {name: reason for name, reason in missing.items() if reason}
    _check_share(path, part, wanted, missing, file.tensors)
    module.load_state_dict({name: tensors[name] for name in target if name in tensors
                            and why_not(tensors[name], target[name]) is None}, strict=False)
    unused = [name for name in tensors if name not in target and not name.endswith(COUNTER)]
    return LoadedWeights(
        path, len(wanted) - len(missing), len(wanted), False, missing, tuple(unused),
        (*file.notes, *adapted), part,
        within='backbone.' if part == 'model' and isinstance(backbone, nn.Module) else '')


def _count_in(target: Mapping[str, Tensor]) -> Callable[[dict[str, Tensor]], int]:
    return lambda tensors: len(tensors.keys() & target.keys())


def _with_converted(tensors: Mapping[str, Tensor],
                    backbone: nn.Module) -> tuple[dict[str, Tensor], list[str]]:
    """A whole model's tensors, those of its backbone under the backbone's names and shapes."""
    inner = {name.removeprefix('backbone.'): tensor for name, tensor in tensors.items()
             if name.startswith('backbone.')}
    others = {name: tensor for name, tensor in tensors.items() if not name.startswith('backbone.')}
    if not inner:
        return others, []
    fitted, adapted = adapt(convert(inner, backbone), backbone)
    return {**others, **{f'backbone.{name}': tensor for name, tensor in fitted.items()}}, adapted


def _check_share(path: Path, part: str, wanted: list[str], missing: Mapping[str, str],
                 held: Mapping[str, Tensor]) -> None:
    count = len(wanted) - len(missing)
    if count >= LEAST_MATCHED * len(wanted):
        return
    name = next(iter(missing))
    inner = [each for each in held if each.startswith(f'{part}.')]
    hint = f"init_cfg=dict(type='Pretrained', checkpoint=..., prefix='{part}.') takes those of " \
        'this part' if inner else f'the file holds {listed(held)}'
    raise WeightsError(f'`{path}` fits {count} of the {len(wanted)} tensors of `{part}`: `{name}` '
                       f'{missing[name]}', hint=hint)
