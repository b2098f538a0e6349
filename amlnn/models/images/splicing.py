"""Parts of a backbone's own forward: from the call of one module to the call of another.

Where a forward does more than apply its modules one after the other (class tokens, positions, views
and permutations between them), no list of modules is its computation. So the forward itself is run,
and what it calls is exchanged. To end at a module, its call is where the run stops, and what it was
given is the result. To begin at a module, what lies before is run on placeholders: modules return
tensors of the right shape, at once and without values, and the module is given the features in the
place of what came of that. What does not depend on the images (positions, sizes, masks) is computed
as ever. Placeholders are not a number, so that one which is used after all does not pass unseen.
"""

# B batch, C channels, H height, W width, L numbers of an image's features

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

from amlnn.errors import AmlnnError
from amlnn.models.images.calls import (
    Recording,
    Seen,
    in_eval_mode,
    in_layout,
    patched,
    placeholder,
    record,
)
from amlnn.models.images.probing import noise

__all__ = ['Absent', 'Span', 'UnknownSize', 'give_memory', 'learn', 'learn_size', 'recordings',
           'run_past', 'run_span']


class UnknownSize(AmlnnError):
    """Features of a shape that no image seen so far has led to."""


@dataclass(frozen=True)
class Span:
    """A part of a backbone's forward."""

    first: str | None
    """The module at whose call it begins, named from the backbone; None for the images."""
    last: str | None
    """The module at whose call it ends; None for the end of the forward."""


class Absent(nn.Module):
    """Stands for a module of which a copy of the backbone has no need."""

    def forward(self, *args, **kwargs):
        """Never computes."""
        raise RuntimeError('this part of the backbone was left out of the copy')


@dataclass(frozen=True)
class _Leaf:
    """A tensor of one image."""

    place: int
    """Among the leaves of a call's arguments, or of its result."""
    seen: Seen
    axis: int | None
    """The one that grows with the batch; None for a tensor that is not made of the images."""

    def shape(self, batch: int) -> list[int]:
        """For a batch."""
        return [size * batch if axis == self.axis else size
                for axis, size in enumerate(self.seen.shape)]


@dataclass(frozen=True)
class _Result:
    """What a call returns: a tree."""

    form: TreeSpec
    leaves: tuple[Any, ...]
    """Tensors as `_Leaf`."""


@dataclass(frozen=True)
class _Cut:
    """The call of one module, for images of one size."""

    image: tuple[int, ...]
    leaves: tuple[_Leaf, ...]
    """Of its arguments, those that are made of the images."""
    before: Mapping[str, Sequence['_Result | None']]
    """What modules return in their calls before it; None where they compute as ever."""

    def features(self) -> tuple[int, ...]:
        """The shape of an image's features, as they are handed on."""
        return self.leaves[0].seen.shape[1:] if _is_plain(self.leaves) else (
            sum(prod(leaf.seen.shape) for leaf in self.leaves),)


@dataclass
class _Glue:
    """What was learned of a backbone's forward. Copies share it: their modules are alike."""

    cuts: dict[tuple[str, tuple[int, ...]], _Cut] = field(default_factory=dict)
    """By the module and the shape of an image's features."""
    leaves: dict[str, tuple[_Leaf, ...]] = field(default_factory=dict)
    dense: bool = False
    """Whether placeholders need memory of their own, as for operations in place."""

    def __deepcopy__(self, memo):
        return self


def _glue_of(backbone: nn.Module) -> _Glue:
    return vars(backbone).setdefault('_amlnn_glue', _Glue())


def learn_size(backbone: nn.Module, entries: Sequence[str],
               image_CHW: Sequence[int]) -> str | None:
    """Learn what the forward does with images of a size, so that spans can begin at these modules.

    The backbone runs on four images of noise.

    Returns:
        One line on why that cannot be, or None.
    """
    return learn(backbone, entries, recordings(backbone, image_CHW))


def recordings(backbone: nn.Module, image_CHW: Sequence[int]) -> list[Recording]:
    """Of one image of noise, of another, and of two."""
    one, other, *two = noise(backbone, 4, image_CHW).split([1, 1, 2])
    with in_eval_mode(backbone):
        return [record(backbone, images) for images in (one, other, *two)]


def give_memory(backbone: nn.Module) -> bool:
    """Let placeholders be written to; whether they could not be before."""
    glue = _glue_of(backbone)
    could_not, glue.dense = not glue.dense, True
    return could_not


def learn(backbone: nn.Module, entries: Sequence[str], seen: Sequence[Recording]) -> str | None:
    """`learn_size` from `recordings`."""
    glue = _glue_of(backbone)
    names = [[call.name for call in each.calls] for each in seen]
    if names[1:] != names[:-1]:
        return 'its forward calls other modules from image to image'
    for name in entries:
        cut = _cut(name, *seen)
        if isinstance(cut, str):
            return cut
        place = (name, cut.features())
        known = glue.cuts.get(place)
        if known is not None and known.image != cut.image and len(place[1]) < 3:
            return (f'images of {_pixels(known.image)} and of {_pixels(cut.image)} pixels lead to '
                    f'features of one shape before `{name}`')
        glue.leaves[name] = cut.leaves
        glue.cuts[place] = cut
    return None


def _cut(name: str, one: Recording, other: Recording, two: Recording) -> _Cut | str:
    at = next((at for at, call in enumerate(one.calls) if call.name == name), None)
    if at is None:
        return f'its forward does not call `{name}`'
    leaves = _dependent(*(each.calls[at].given for each in (one, other, two)))
    if isinstance(leaves, str) or not leaves:
        return f'what `{name}` is given {leaves or "is not made of the images"}'
    if len({leaf.seen.dtype for leaf in leaves}) > 1:
        return f'what `{name}` is given has several types of numbers'
    before: dict[str, list[_Result | None]] = {}
    for index in one.outermost_before(one.calls[at].start):
        call = one.calls[index]
        made = _dependent(*(each.calls[index].result for each in (one, other, two)))
        if isinstance(made, str):
            return f'what `{call.name}` gives {made}'
        places = {leaf.place: leaf for leaf in made}
        before.setdefault(call.name, []).append(_Result(call.result_form, tuple(
            places.get(place, _Leaf(place, leaf, None) if isinstance(leaf, Seen) else leaf)
            for place, leaf in enumerate(call.result))) if made else None)
    return _Cut(one.image, tuple(leaves), before)


def _dependent(one: list, other: list, two: list) -> list[_Leaf] | str:
    """The tensors that are made of the images; or what speaks against it, in words."""
    found = []
    if not len(one) == len(other) == len(two):
        return 'changes its form with the images'
    for place, (mine, theirs, both) in enumerate(zip(one, other, two, strict=True)):
        if not isinstance(mine, Seen):
            continue
        if mine.shape != theirs.shape or len(mine.shape) != len(both.shape):
            return 'changes its shape with the images'
        grown = [axis for axis, (single, double) in enumerate(
            zip(mine.shape, both.shape, strict=True)) if single != double]
        if not grown and mine.sums == theirs.sums:
            continue
        if len(grown) != 1 or both.shape[grown[0]] != 2 * mine.shape[grown[0]]:
            return 'does not grow with the batch along one axis'
        found.append(_Leaf(place, Seen(mine.shape, mine.dtype, both.order), grown[0]))
    return found


def run_span(backbone: nn.Module, span: Span, x: Tensor) -> Tensor:
    """A part of the forward.

    Args:
        backbone: Whose modules are applied. Hooks of the backbone itself are not called.
        span: The part. Where it begins and ends is known from `learn`.
        x: Images, [B, C, H, W], where the span begins with them; else what the span before it gave.

    Returns:
        What the module that it ends at is given: as it is, if that is one tensor with an entry for
        each image; else [B, L]. Where the span ends with the forward, its result.

    Raises:
        UnknownSize: no image seen so far has led to features of this shape.
    """
    glue = _glue_of(backbone)
    changed, images = {}, x
    if span.first is not None:
        cut = glue.cuts.get((span.first, tuple(x.shape[1:])))
        if cut is None:
            raise UnknownSize(
                f'features of shape {tuple(x.shape[1:])} before `{span.first}`, and it is not known'
                ' of which images', hint='run images of that size through the backbone first')
        batch = x.shape[0]
        start = _Beginning(backbone, glue, cut, x)
        changed.update(start.forwards(span.first))
        images = placeholder(Seen((), x.dtype, (0, 1, 2, 3)), (batch, *cut.image), x.device,
                             glue.dense)
    if span.last is not None:
        changed[backbone.get_submodule(span.last)] = _stop
    try:
        with patched(changed):
            result = backbone.forward(images)
    except _Reached as reached:
        return _handed_on(glue.leaves[span.last], reached.given, x.shape[0])
    return result[0] if isinstance(result, tuple) and len(result) == 1 else result


def run_past(backbone: nn.Module, modules: Sequence[str], images_BCHW: Tensor
             ) -> tuple[dict[str, Tensor], Any]:
    """The whole forward, and what it gives to modules on its way.

    Args:
        backbone: Whose modules are applied. Its own hooks are not called.
        modules: Where spans end. What they are given is known from `learn`.
        images_BCHW: Images of any size.

    Returns:
        Of each module, as `run_span` gives it; and the forward's result.
    """
    glue, seen = _glue_of(backbone), {}

    def watched(name: str):
        forward = backbone.get_submodule(name).forward

        def watching(*args, **kwargs):
            if name not in seen:
                seen[name] = _handed_on(glue.leaves[name], (args, kwargs), images_BCHW.shape[0])
            return forward(*args, **kwargs)

        return watching

    with patched({backbone.get_submodule(name): watched(name) for name in modules}):
        result = backbone.forward(images_BCHW)
    return seen, result


def _handed_on(leaves: Sequence[_Leaf], arguments: Any, batch: int) -> Tensor:
    """What a module is given of the images, as one tensor."""
    given = tree_flatten(arguments)[0]
    tensors = [given[leaf.place] for leaf in leaves]
    return tensors[0] if _is_plain(leaves) else torch.cat([
        tensor.movedim(leaf.axis, 0).reshape(batch, -1)
        for leaf, tensor in zip(leaves, tensors, strict=True)], dim=1)


class _Reached(Exception):
    """The forward came to the module that a span ends at."""

    def __init__(self, given):
        super().__init__()
        self.given = given


def _stop(*args, **kwargs):
    raise _Reached((args, kwargs))


class _Beginning:
    """Lets modules return placeholders until the one is called that a span begins at."""

    def __init__(self, backbone: nn.Module, glue: _Glue, cut: _Cut, features: Tensor):
        self.backbone = backbone
        self.glue = glue
        self.cut = cut
        self.features = features
        self.begun = False

    def forwards(self, first: str) -> dict:
        """What to patch."""
        changed = {self.backbone.get_submodule(name): self._standing_in(name, [*results])
                   for name, results in self.cut.before.items() if any(results)}
        module = self.backbone.get_submodule(first)
        changed[module] = self._beginning(module.forward)
        return changed

    def _standing_in(self, name: str, results: list):
        forward = self.backbone.get_submodule(name).forward

        def standing_in(*args, **kwargs):
            result = results.pop(0) if results and not self.begun else None
            if result is None:
                return forward(*args, **kwargs)
            return tree_unflatten([self._stand_in(leaf) for leaf in result.leaves], result.form)

        return standing_in

    def _stand_in(self, leaf):
        if not isinstance(leaf, _Leaf):
            return leaf
        return placeholder(leaf.seen, leaf.shape(self.features.shape[0]), self.features.device,
                           self.glue.dense)

    def _beginning(self, forward):
        def beginning(*args, **kwargs):
            if not self.begun:
                self.begun = True
                leaves, form = tree_flatten((args, kwargs))
                for leaf, tensor in zip(self.cut.leaves, self._parts(), strict=True):
                    leaves[leaf.place] = in_layout(tensor, leaf.seen.order)
                args, kwargs = tree_unflatten(leaves, form)
            return forward(*args, **kwargs)

        return beginning

    def _parts(self) -> Sequence[Tensor]:
        if _is_plain(self.cut.leaves):
            return [self.features]
        batch = self.features.shape[0]
        shapes = [leaf.shape(batch) for leaf in self.cut.leaves]
        parts = self.features.split([prod(leaf.seen.shape) for leaf in self.cut.leaves], dim=1)
        return [part.reshape(shape[leaf.axis], *shape[:leaf.axis], *shape[leaf.axis + 1:])
                .movedim(0, leaf.axis)
                for leaf, shape, part in zip(self.cut.leaves, shapes, parts, strict=True)]


def _is_plain(leaves: Sequence[_Leaf]) -> bool:
    """Whether one tensor, an entry for each image, is all that is handed on."""
    return len(leaves) == 1 and leaves[0].axis == 0 and leaves[0].seen.shape[0] == 1


def _pixels(image_CHW: Sequence[int]) -> str:
    return ' x '.join(map(str, image_CHW[1:]))
