"""Images between which a network sees no difference: nothing is learned, and no error says so.

A scale that leaves nothing, a step of a pipeline that paints everything over, weights that are all
zero, a folder of copies: losses stay finite, and accuracies are those of chance.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from amlnn.errors import DataError

__all__ = ['Extent', 'refuse_same_images']

# B images of a batch, S numbers of an image

_ROUNDING = 1e-6
"""Share of a number by which it differs from itself, computed in a batch of another size."""


class Extent:
    """The least and the greatest that each number of an image is, batch after batch."""

    def __init__(self):
        self.count = 0

    def add(self, rows_BS: np.ndarray) -> None:
        """Take in a batch."""
        low_S, high_S = rows_BS.min(axis=0), rows_BS.max(axis=0)
        self._low_S = np.minimum(self._low_S, low_S) if self.count else low_S
        self._high_S = np.maximum(self._high_S, high_S) if self.count else high_S
        self.count += len(rows_BS)

    def differ(self, place: slice = slice(None)) -> bool:
        """Whether two images differ in one of some numbers; one alone is told from nothing."""
        low_S, high_S = self._low_S[place], self._high_S[place]
        least_S = _ROUNDING * np.maximum(np.abs(low_S), np.abs(high_S))
        return self.count < 2 or bool((high_S - low_S > least_S).any())


@torch.no_grad()
def refuse_same_images(model: nn.Module, few: dict, more: Callable[[], dict]) -> None:
    """Refuse training images that are all the same to the network, or to a backbone that is frozen.

    Args:
        model: A classifier, frozen.
        few: Collated images.
        more: Reads those that are looked at where these are the same.

    Raises:
        DataError: so are all of them.
    """
    model.eval()
    same = _same(model, few)[0] and _same(model, more())
    if not same or not same[0]:
        return
    name, count = same
    if name == _IMAGES:
        raise DataError(
            f'all {count} training images that were looked at are the same behind pipeline and '
            'data_preprocessor', hint='look at the steps of train_dataloader.dataset.pipeline and '
            'at data_preprocessor.std; python tools/doctor.py FOLDER finds copies among files')
    raise DataError(
        f'the frozen backbone makes the same features of all {count} training images that were '
        'looked at',
        hint='look at its weights (model.pretrained), or freeze nothing: model.frozen_stages=-1')


_IMAGES, _FEATURES = 'images', 'features'


def _same(model: nn.Module, batch: dict) -> tuple[str, int]:
    """What is the same of all images of a batch, '' for nothing; and how many they are."""
    images = model.data_preprocessor(batch, False)['inputs']
    return next((name for name, each in _given(model, images) if not _differ(each)), ''), \
        len(images)


def _given(model: nn.Module, images: object) -> Iterator[tuple[str, Tensor]]:
    """What is computed of images before anything is learned."""
    if not isinstance(images, Tensor):
        return
    yield _IMAGES, images
    if not any(each.requires_grad for each in model.backbone.parameters()):
        features = model.extract_feat(images)
        last = features[-1] if isinstance(features, tuple | list) else features
        if isinstance(last, Tensor):
            yield _FEATURES, last


def _differ(rows: Tensor) -> bool:
    extent = Extent()
    extent.add(rows.flatten(1).float().cpu().numpy())
    return extent.differ()
