"""How pixels are scaled before a network sees them, by its weights and by a config.

Weights work with the scale that they were trained with. Another one raises no error and costs many
points of accuracy, so a difference is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from amlnn.models.images.inputs import scale_of_timm
from amlnn.models.images.weights_packages import package_of

__all__ = ['Normalisation', 'contradiction', 'normalisation_of_model', 'normalisation_of_weights']

_TOLERANCE = 0.05
"""How far black or white may be from where the weights expect it, in deviations. (x - 127) / 128
and (x - 127.5) / 127.5 are 0.01 apart, the latter and ImageNet's mean and deviation 1.1."""


@dataclass(frozen=True)
class Normalisation:
    """(x - mean) / std for pixels x of 0 to 255, a number a channel, red first; or one for all."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __str__(self):
        return f'(x - {_shown(self.mean)}) / {_shown(self.std)}'

    def span(self, channels: int) -> list[tuple[float, float]]:
        """What black and white become in each channel.

        >>> Normalisation((127.5,), (127.5,)).span(1)
        [(-1.0, 1.0)]
        """
        return [(-mean / std, (255 - mean) / std) for mean, std in zip(
            _spread(self.mean, channels), _spread(self.std, channels), strict=True)]


def normalisation_of_weights(path: Path, network: nn.Module,
                             source: str | None = None) -> Normalisation | None:
    """What the weights in a file expect, where that is known.

    Args:
        path: The file.
        network: That they are loaded into.
        source: What a config calls them. Of `timm://...` the network knows the scale.
    """
    package = package_of(path)
    if package:
        return Normalisation((package.mean,), (package.std,))
    scale = scale_of_timm(source, network)
    return Normalisation(*scale) if scale else None


def normalisation_of_model(model: nn.Module) -> Normalisation | None:
    """What a classifier's preprocessor does; None for one that is not MMPretrain's."""
    preprocessor = getattr(model, 'data_preprocessor', None)
    if not hasattr(preprocessor, '_enable_normalize'):
        return None
    if not preprocessor._enable_normalize:
        return Normalisation((0.0,), (1.0,))
    return Normalisation(tuple(preprocessor.mean.flatten().tolist()),
                         tuple(preprocessor.std.flatten().tolist()))


def contradiction(weights: Normalisation | None, model: Normalisation | None) -> str | None:
    """A line that names both scales, where they differ by more than rounding; None otherwise.

    >>> contradiction(Normalisation((127,), (128,)), Normalisation((127.5,), (127.5,)))
    >>> contradiction(Normalisation((127,), (128,)), Normalisation((0,), (1,)))
    'the weights expect pixels as (x - 127) / 128, and the config makes them (x - 0) / 1: \
data_preprocessor=dict(mean=[127], std=[128])'
    """
    if weights is None or model is None:
        return None
    channels = max(map(len, (weights.mean, weights.std, model.mean, model.std)))
    if all(len(values) in (1, channels) for values in (
            weights.mean, weights.std, model.mean, model.std)):
        pairs = zip(weights.span(channels), model.span(channels), strict=True)
        if all(abs(mine - theirs) <= _TOLERANCE for ours, others in pairs
               for mine, theirs in zip(ours, others, strict=True)):
            return None
    each = model.mean if len(weights.mean) == 1 else weights.mean
    return (f'the weights expect pixels as {weights}, and the config makes them {model}: '
            f'data_preprocessor=dict(mean={_list(_spread(weights.mean, len(each)))}, '
            f'std={_list(_spread(weights.std, len(each)))})')


def _spread(values: Sequence[float], channels: int) -> Sequence[float]:
    return values if len(values) == channels else tuple(values) * channels


def _shown(values: Sequence[float]) -> str:
    return f'{values[0]:.6g}' if len(set(values)) == 1 else _list(values)


def _list(values: Sequence[float]) -> str:
    return f'[{", ".join(f"{value:.6g}" for value in values)}]'
