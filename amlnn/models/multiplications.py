"""How many multiplications a network takes in its layers with weights."""

from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

__all__ = ['multiplications']


@torch.no_grad()
def multiplications(network: nn.Module, run: Callable[[], object]) -> dict[str, int]:
    """Multiplications of each layer with weights, by its name, while something runs.

    Counted are convolutions, dense and recurrent layers that are called as modules: not norms,
    activations, the products of attention, or layers of one's own.

    Args:
        network: Whose layers are counted.
        run: Runs it, or a part of it, on as many images as are to be counted.

    >>> layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 6 * 6, 5))
    >>> multiplications(layers, lambda: layers(torch.zeros(1, 3, 8, 8)))
    {'0': 3888, '2': 720}
    """
    counts: Counter[str] = Counter()

    def counting(name: str) -> Callable[[nn.Module, object, object], None]:
        def count(layer: nn.Module, given: object, result: object) -> None:
            counts[name] += _of(layer, result)
        return count

    handles = [layer.register_forward_hook(counting(name))
               for name, layer in network.named_modules() if _is_counted(layer)]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return dict(counts)


def _is_counted(layer: nn.Module) -> bool:
    return isinstance(layer, _ConvNd | nn.Linear | nn.RNNBase) and \
        not isinstance(layer, _ConvTransposeNd)


def _of(layer: nn.Module, result: Tensor | tuple) -> int:
    if not isinstance(layer, nn.RNNBase):
        return result.numel() * layer.weight[0].numel()
    output = result[0]  # of every step and sequence: a row
    matrices = sum(each.numel() for each in layer.parameters() if each.ndim == 2)
    return output.numel() // output.shape[-1] * matrices
