"""Stages of a backbone that has no row in the table, derived from what its forward does.

Which modules are the steps of a backbone is asked of the library first: timm's networks group
their parameters (`group_matcher`). Otherwise it is the list of like modules that holds most of the
parameters: `stages`, `layers`, `blocks`, `stage1` to `stage4`. A stage begins where its first
module is called, or with what lies between it and the step before (a downsampling); what an
operation is given first in a stage belongs to it. For flat transformers a stage is thus a block.
What comes before the first step is the stem.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from amlnn.models.images.calls import Call, Recording, in_eval_mode
from amlnn.models.images.probing import noise
from amlnn.models.images.splicing import Span, give_memory, learn, recordings, run_span

__all__ = ['Derived', 'DerivedStage', 'derive', 'equal']

_NUMBERED = re.compile(r'(.*?)_?(\d+)[a-z]?')
_DEPTH = 4  # of the modules that are searched for lists


@dataclass(frozen=True)
class DerivedStage:
    """What a stage consists of, and the part of the forward that it is."""

    modules: tuple[str, ...]
    """Names of modules, and of tensors whose module has others in another stage."""
    span: Span


@dataclass(frozen=True)
class Derived:
    """The stages of a backbone, the stem first if it has one."""

    stages: tuple[DerivedStage, ...]
    has_stem: bool
    reason: str | None = None
    """Why the stages cannot be run apart, if they cannot."""
    gives_tensor: bool = True
    """Whether the backbone gives one tensor, and not several."""


Steps = list[Set[str]]
"""Of each step the names of all its modules and tensors."""


def derive(backbone: nn.Module, image_CHW: Sequence[int]) -> Derived | None:
    """Find the stages of a backbone, by four images of noise; None where there are none.

    Args:
        backbone: Left as it was, but for the images' size, which it learns (see `splicing`).
        image_CHW: Of images that it takes.
    """
    seen = recordings(backbone, image_CHW)
    best: Derived | None = None
    for entries in _candidates(backbone, seen[0]):
        derived = _proven(backbone, seen, entries)
        if derived.reason is None:
            return derived
        best = best or derived
    return best


def _candidates(backbone: nn.Module, seen: Recording) -> Iterator[list[Call]]:
    """The calls with which stages may begin, the likeliest first."""
    tried = []
    for steps, order in ((_by_library(backbone), (False, True)),
                         (_by_structure(backbone), (True, False))):
        for step, early in itertools.product(steps, order):
            entries = _entries(backbone, seen, step, early)
            if len(entries) > 1 and entries not in tried:
                tried.append(entries)
                yield entries


def _by_library(backbone: nn.Module) -> Iterator[Steps]:
    """As timm groups the parameters of its networks."""
    network = getattr(backbone, 'timm_model', None)
    if network is None or not hasattr(network, 'group_matcher'):
        return
    from timm.models import group_parameters
    try:
        matcher = network.group_matcher(coarse=True)
    except (AttributeError, AssertionError, NotImplementedError, TypeError):
        return
    if not isinstance(matcher, dict):
        return
    groups = group_parameters(network, matcher)
    stem, *others = ([pattern for pattern, *_ in given] if isinstance(given, list | tuple)
                     else [given] for given in matcher.values() if given is not None)
    patterns = [pattern for each in others for pattern in each]
    steps = []
    for number in sorted(groups):
        step = {f'timm_model.{name}' for name in groups[number]
                if not any(re.match(pattern, name) for pattern in stem)
                and any(re.match(pattern, name) for pattern in patterns)}
        if step:
            steps.append(_with_modules(backbone, step))
    yield steps


def _with_modules(backbone: nn.Module, tensors: Set[str]) -> Set[str]:
    """Names of tensors, and of the modules that hold no others."""
    inside = set(tensors)
    for name, module in backbone.named_modules():
        held = [f'{name}.{each}' for each, _ in module.named_parameters()]
        if held and set(held) <= tensors:
            inside.add(name)
    return inside


def _by_structure(backbone: nn.Module) -> Iterator[Steps]:
    """Lists of modules, those with the most parameters first."""
    found = []
    for parent, module in backbone.named_modules():
        if parent.count('.') >= _DEPTH:
            continue
        children = {f'{parent}.{name}'.lstrip('.'): child
                    for name, child in module.named_children() if _size(child)}
        if isinstance(module, nn.ModuleList | nn.Sequential):
            found.append(_alike(children))
        numbered: dict[str, dict[str, nn.Module]] = {}
        for name, child in children.items():
            match = _NUMBERED.fullmatch(name.rpartition('.')[2])
            if match and match[1]:
                numbered.setdefault(match[1], {})[name] = child
        found.extend(_alike(each) for each in numbered.values())
    found = [each for each in found if len(each) > 1]
    whole = _size(backbone)
    # A list of two is rather a stem and a body.
    found.sort(key=lambda each: (-(len(each) > 2), -sum(map(_size, each.values()))))
    for modules in found:
        if 2 * sum(map(_size, modules.values())) > whole:
            yield [{name, *(f'{name}.{each}' for each, _ in module.named_modules() if each),
                    *(f'{name}.{each}' for each, _ in module.named_parameters())}
                   for name, module in modules.items()]


def _alike(modules: dict[str, nn.Module]) -> dict[str, nn.Module]:
    """Those of the class that most are of."""
    kinds = Counter(type(module) for module in modules.values())
    most = max(kinds.values(), default=0)
    kind = max((kind for kind in kinds if kinds[kind] == most), default=None, key=lambda kind: sum(
        _size(module) for module in modules.values() if type(module) is kind))
    return {name: module for name, module in modules.items() if type(module) is kind}


def _size(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())


def _entries(backbone: nn.Module, seen: Recording, steps: Steps, early: bool) -> list[Call]:
    """The calls with which the stages begin, in order."""
    cores = [[call for call in seen.calls if call.name in step] for step in steps]
    cores = sorted((core for core in cores if core), key=lambda core: core[0].start)
    entries: list[Call] = []
    for before, core in zip([None, *cores], cores, strict=False):
        entry = core[0]
        if early and before is not None:
            over = max(call.end for call in before if call.end < entry.start) \
                if any(call.end < entry.start for call in before) else entry.start
            entry = next((call for call in seen.calls if over < call.start < entry.start
                          and call.end < entry.start
                          and _has_matrix(backbone.get_submodule(call.name))), entry)
        if not entries or entry.start > entries[-1].start:
            entries.append(entry)
    first = {}
    for call in seen.calls:
        first.setdefault(call.name, call)
    return [entry for entry in entries if first[entry.name] is entry]


def _has_matrix(module: nn.Module) -> bool:
    # A norm between two steps belongs to the one that it ends.
    return any(each.ndim > 1 for each in module.parameters())


def _proven(backbone: nn.Module, seen: list[Recording], entries: list[Call]) -> Derived:
    stages = _stages(backbone, seen[0], entries)
    names = [stage.span.first for stage in stages[1:]]
    has_stem = len(stages) > len(entries)
    reason = learn(backbone, names, seen) or _why_not(backbone, stages, seen[0].image)
    return Derived(tuple(stages), has_stem, reason, len(seen[0].result) == 1)


def _why_not(backbone: nn.Module, stages: list[DerivedStage],
             image_CHW: Sequence[int]) -> str | None:
    """Why the stages cannot be run one after the other, if they cannot."""
    images = noise(backbone, 2, image_CHW)
    with torch.no_grad(), in_eval_mode(backbone):
        expected = backbone.forward(images)
        try:
            result = _composed(backbone, stages, images)
        except Exception as error:  # whatever a model's own code makes of placeholders
            return f'begun in between, it ends in {type(error).__name__}: {_first_line(error)}'
    if isinstance(expected, tuple) and len(expected) == 1:
        expected = expected[0]
    return None if equal(result, expected) else \
        'what it computes before a stage is used after it, past the stage\'s input'


def _composed(backbone: nn.Module, stages: list[DerivedStage], images: Tensor):
    try:
        for stage in stages:
            images = run_span(backbone, stage.span, images)
    except RuntimeError:  # an operation in place, perhaps
        if not give_memory(backbone):
            raise
        return _composed(backbone, stages, images)
    return images


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:100] if str(error).strip() else 'no message'


def equal(one, other) -> bool:
    """Whether two results, tensors or sequences of them, are the same to the bit."""
    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and torch.equal(one, other)
    return type(one) is type(other) and len(one) == len(other) and all(
        equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))


def _stages(backbone: nn.Module, seen: Recording, entries: list[Call]) -> list[DerivedStage]:
    """Which tensors each stage uses first, and the parts of the forward between the entries."""
    starts = [entry.start for entry in entries]
    places = _places(backbone, seen, starts)
    parts: list[list[str]] = [[] for _ in range(len(entries) + 1)]
    _distribute(backbone, '', places, parts)
    names: list[str | None] = [None, *(entry.name for entry in entries), None]
    tensors = backbone.state_dict().keys()
    if not any(each == name or each.startswith(f'{name}.') for name in parts[0]
               for each in tensors):  # before the first step, things are but passed on
        parts[1][:0] = parts.pop(0)
        names.pop(1)
    return [DerivedStage(tuple(part), Span(first, last))
            for part, first, last in zip(parts, names, names[1:], strict=False)]


def _places(backbone: nn.Module, seen: Recording, starts: list[int]) -> dict[str, int]:
    """By name of a tensor or of a module without children, the stage that it is first used in."""
    def stage_at(tick: int) -> int:
        return sum(start <= tick for start in starts)

    called: dict[str, int] = {}
    for call in seen.calls:
        called.setdefault(call.name, call.start)
    first = {}
    owners = {id(tensor): name for name, tensor in (
        *backbone.named_parameters(), *backbone.named_buffers())}
    for name, tensor in backbone.state_dict(keep_vars=True).items():
        if owners.get(id(tensor), name) != name:
            continue  # of a module that several share, under its further names
        used = seen.first_use.get(name)
        owner = name.rpartition('.')[0]
        if used is None and owner in called:
            used = called[owner]
        if used is not None:
            first[name] = stage_at(used)
    for name, module in backbone.named_modules():
        if name in called and not list(module.children()):
            first.setdefault(name, stage_at(called[name]))
    return first


def _distribute(backbone: nn.Module, name: str, places: dict[str, int],
                parts: list[list[str]]) -> None:
    """Name whole modules where all in them is of one stage, else what they consist of."""
    module = backbone.get_submodule(name)
    start = f'{name}.' if name else ''
    found = {place for item, place in places.items() if item == name or item.startswith(start)}
    if name and len(found) < 2:
        # What the forward never uses is not left before the last stage, where it would be frozen.
        parts[found.pop() if found else -1].append(name)
        return
    own = {**module._parameters, **module._buffers}
    for each, tensor in own.items():
        if tensor is not None and each not in module._non_persistent_buffers_set:
            parts[places.get(start + each, -1)].append(start + each)
    for each, child in module._modules.items():
        if child is not None:
            _distribute(backbone, start + each, places, parts)
