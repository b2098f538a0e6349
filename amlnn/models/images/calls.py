"""What a network's forward calls, in what order, and with which tensors.

A recording runs the forward and notes every call of a module, every parameter and buffer that an
operation is given, and of what comes in and out the shapes, the layout and a sum. Of two recordings
with other images, what has the same sum does not depend on the images; of two with other numbers of
images, the axes that differ are those of the batch.
"""

# B batch

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import TreeSpec, tree_flatten

__all__ = ['Call', 'Recording', 'Seen', 'in_eval_mode', 'in_layout', 'patched', 'placeholder',
           'record', 'set_mode']


@dataclass(frozen=True)
class Seen:
    """A tensor as it was seen, without its values."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    order: tuple[int, ...]
    """The axes from the greatest stride to the least."""
    sums: tuple[float, float] | None = None
    """Sum and greatest of the values; None where there are none (the meta device)."""


@dataclass
class Call:
    """One call of a module's forward."""

    name: str
    start: int
    """Ticks of the recording's clock."""
    end: int = -1
    given: list = field(default_factory=list)
    """The leaves of its arguments, tensors as `Seen`."""
    result: list = field(default_factory=list)
    result_form: TreeSpec | None = None

    def holds(self, tick: int) -> bool:
        """Whether the call was under way at a tick."""
        return self.start <= tick <= self.end


@dataclass
class Recording:
    """A forward, call by call."""

    image: tuple[int, ...]
    """The shape of an image, (C, H, W)."""
    calls: list[Call]
    """In the order in which they began."""
    first_use: dict[str, int]
    """The tick at which an operation was first given a parameter or buffer, by its name."""
    result: list
    """The leaves of what the forward returned."""

    def first_call(self, names: Sequence[str]) -> Call | None:
        """The first call of a module that lies in one of these."""
        return next((call for call in self.calls if any(
            call.name == name or call.name.startswith(name + '.') for name in names)), None)

    def outermost_before(self, tick: int) -> list[int]:
        """Places of the calls that were over at a tick, without those made inside of them."""
        outermost: list[int] = []
        for place, call in enumerate(self.calls):
            if call.end < tick and not (outermost and self.calls[outermost[-1]].holds(call.start)):
                outermost.append(place)
        return outermost


def placeholder(seen: Seen, shape: Sequence[int], device: torch.device, dense: bool) -> Tensor:
    """A tensor like one that was seen, without values: a use of it shows as not a number.

    Args:
        seen: Whose dtype and layout it has.
        shape: Its shape.
        device: Where it is.
        dense: Whether it has memory of its own, and can be written to.
    """
    floating = seen.dtype.is_floating_point or seen.dtype.is_complex
    value = torch.full((), float('nan') if floating else 0, dtype=seen.dtype, device=device)
    if not dense:
        return value.expand(tuple(shape))  # one number, however great the shape
    return in_layout(value.expand(tuple(shape)), seen.order).clone()


def in_layout(tensor: Tensor, order: Sequence[int]) -> Tensor:
    """The same values, the axes in memory from the greatest stride to the least as `order` says."""
    order = [*order]
    back = [order.index(axis) for axis in range(len(order))]
    return tensor.permute(order).contiguous().permute(back)


@contextmanager
def in_eval_mode(module: nn.Module) -> Iterator[None]:
    """A module and all in it in eval mode for a while."""
    modes = [(each, each.training) for each in module.modules()]
    try:
        for each, _ in modes:
            set_mode(each, False, inner=each is not module)
        yield
    finally:
        for each, mode in modes:
            set_mode(each, mode, inner=each is not module)


def set_mode(module: nn.Module, training: bool, inner: bool = True) -> None:
    """Put one module, without those in it, into train or eval mode.

    Args:
        module: The module.
        training: Into train mode.
        inner: Whether it is a part of a backbone. `train` of several backbones has effects of its
            own, which are not wanted here; that of parts prepares what their forward needs.
    """
    module.training = training
    if inner and type(module).train is not nn.Module.train:
        modes = [(each, each.training) for each in module.modules()]
        module.train(training)
        for each, mode in modes[1:]:
            each.training = mode


@contextmanager
def patched(forwards: dict[nn.Module, Any]) -> Iterator[None]:
    """Modules with another forward for a while."""
    own = {module: vars(module).get('forward') for module in forwards}
    try:
        for module, forward in forwards.items():
            vars(module)['forward'] = forward
        yield
    finally:
        for module, forward in own.items():
            if forward is None:
                vars(module).pop('forward', None)
            else:
                vars(module)['forward'] = forward


@torch.no_grad()
def record(network: nn.Module, images_BCHW: Tensor) -> Recording:
    """Run a forward and note what it calls; the network is in the mode it is in."""
    clock = _Clock()
    calls: list[Call] = []

    def noted(name: str, module: nn.Module):
        forward = module.forward

        @functools.wraps(forward)
        def noting(*args, **kwargs):
            call = Call(name, clock.tick(), given=_leaves((args, kwargs))[0])
            calls.append(call)
            result = forward(*args, **kwargs)
            call.result, call.result_form = _leaves(result)
            call.end = clock.tick()
            return result

        return noting

    names = {id(tensor): name for name, tensor in (
        *network.named_parameters(), *network.named_buffers())}
    uses = _Uses(names, clock)
    # Of a compiled script neither forward nor parameters are to be seen.
    inside = {module: noted(name, module) for name, module in network.named_modules()
              if name and not isinstance(module, torch.jit.ScriptModule)}
    with patched(inside), uses:
        result = network.forward(images_BCHW)
    return Recording(tuple(images_BCHW.shape[1:]), calls, uses.first, _leaves(result)[0])


class _Clock:
    def __init__(self):
        self.now = 0

    def tick(self) -> int:
        self.now += 1
        return self.now


class _Uses(TorchFunctionMode):
    """Notes when an operation is first given one of the tensors that have a name."""

    def __init__(self, names: dict[int, str], clock: _Clock):
        super().__init__()
        self.names = names
        self.clock = clock
        self.first: dict[str, int] = {}

    def __torch_function__(self, func, types, args=(), kwargs=None):
        now = self.clock.tick()
        for leaf in tree_flatten((args, kwargs))[0]:
            name = self.names.get(id(leaf))
            if name is not None:
                self.first.setdefault(name, now)
        return func(*args, **(kwargs or {}))


def _leaves(tree: Any) -> tuple[list, TreeSpec]:
    leaves, form = tree_flatten(tree)
    with torch._C.DisableTorchFunction():
        return [_seen(leaf) for leaf in leaves], form


def _seen(leaf: Any) -> Any:
    """A tensor without its values; anything else as it is."""
    if not isinstance(leaf, Tensor):
        return leaf
    strides = leaf.stride()
    order = tuple(sorted(range(leaf.ndim), key=lambda axis: (-strides[axis], axis)))
    sums = None
    if leaf.device.type != 'meta' and leaf.numel():
        values = torch.view_as_real(leaf) if leaf.is_complex() else leaf.detach()
        sums = (values.sum(dtype=torch.float64).item(), float(values.max()))
    return Seen(tuple(leaf.shape), leaf.dtype, order, sums)
