"""Images that a backbone takes, and what it makes of them: found by one probe, not typed."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from amlnn.models.images.calls import in_eval_mode

__all__ = ['image_of', 'noise']

_SIDES = (224, 256, 192, 384, 512, 1024, 128, 96, 32)


def image_of(backbone: nn.Module) -> tuple[int, int, int] | None:
    """The shape, (C, H, W), of an image that a backbone takes; None where none is found.

    What a network declares (its positions, timm's own data) comes first, then usual sizes.
    """
    known = vars(backbone).get('_amlnn_image')
    if known is None:
        channels = _channels(backbone)
        sizes = [*_declared(backbone), *((each, each) for each in _SIDES)]
        for height, width in dict.fromkeys(sizes):
            if _takes(backbone, (channels, height, width)):
                known = backbone._amlnn_image = (channels, height, width)
                break
    return known


def noise(backbone: nn.Module, count: int, image_CHW: tuple[int, ...]) -> Tensor:
    """Images of noise, the same in every call, without touching the global generators."""
    like = next(backbone.parameters())
    return torch.randn(count, *image_CHW, generator=torch.Generator().manual_seed(0)).to(
        like.device, like.dtype)


def _channels(backbone: nn.Module) -> int:
    first = next((each for each in backbone.modules() if isinstance(each, nn.Conv2d)), None)
    return first.in_channels if first is not None and first.in_channels < 16 else 3


def _declared(backbone: nn.Module) -> Iterator[tuple[int, int]]:
    network = getattr(backbone, 'timm_model', backbone)
    patches = getattr(network, 'patch_embed', None)
    for owner, name in ((network, 'img_size'), (patches, 'img_size'), (patches, 'init_input_size')):
        size = getattr(owner, name, None)
        if isinstance(size, int):
            yield size, size
        elif isinstance(size, tuple | list) and len(size) == 2:
            yield int(size[0]), int(size[1])
    size = (getattr(network, 'pretrained_cfg', None) or {}).get('input_size')
    if size:
        yield size[1], size[2]


@torch.no_grad()
def _takes(backbone: nn.Module, image_CHW: tuple[int, ...]) -> bool:
    try:
        with in_eval_mode(backbone):
            backbone.forward(noise(backbone, 1, image_CHW))
    except Exception:  # whatever a model's own code raises at a size it does not take
        return False
    return True
