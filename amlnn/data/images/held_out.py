"""What data sets share that bring images for training and for evaluation, and no third part.

With `holdout=n`, n training images of each class become 'val' and the evaluation images are 'test',
which no choice of a model has seen. Without, the evaluation images are 'val'.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from amlnn.config.kind import PARTS
from amlnn.data.images.balanced import balanced_subset, held_out
from amlnn.data.images.layout import Layout
from amlnn.errors import DataError
from amlnn.quiet import quiet_imports

with quiet_imports():
    from mmpretrain.datasets import BaseDataset

__all__ = ['HeldOutDataset', 'Listing']


@dataclass
class Listing:
    """The images that a data set brings for training, or for evaluation."""

    ids: list[str]
    """Of each image, no two the same: its path, relative to the data root."""
    numbers: Sequence[int]
    """Class number of each image, among `classes`."""
    classes: list[str]
    """The classes that hold-out and subset take the same number of images from."""


class HeldOutDataset(Layout, BaseDataset):
    """A data set that can hold images out and take a balanced subset.

    A class that derives from it says what it reads (`read_listing`), what it is called and, where
    it can label images in several ways, `label_choices`.

    Args:
        data_root: The folder.
        split: 'train', 'val', or with a holdout 'test'.
        pipeline: Transforms, as MMPretrain names them.
        holdout: Training images of each class that are 'val' instead; the same in every part.
        subset: Images that the part keeps, the same number of each class; None keeps all.
        seed: Another seed holds out, and keeps, other images; the same in every part.
        labels: One of `label_choices`.
        metainfo: What evaluators are told, `classes` first.

    Raises:
        DataError: the files are not as they should be, or there is no such part.
    """

    smallest: ClassVar = {'holdout': 0, 'subset': 1}
    same_in_every_part: ClassVar = {
        'holdout': 'images of one part would be in another',
        'seed': 'each would hold out other images',
        'labels': 'a number would be another class',
        'data_root': 'nothing keeps images of one out of the other',
    }

    def __init__(self, data_root: str, split: str, pipeline: list, holdout: int,
                 subset: int | None, seed: int, labels: str, metainfo: dict):
        self.split, self.holdout, self.subset = split, holdout, subset
        self.seed, self.labels = seed, labels
        super().__init__(ann_file='', data_root=data_root, metainfo=metainfo, pipeline=pipeline)

    @classmethod
    def find_parts(cls, data_root: str, holdout: int = 0, **choices) -> tuple[str, ...]:
        """'test' is there only where images are held out for 'val'."""
        return PARTS if holdout else PARTS[:2]

    @classmethod
    def check_choices(cls, data_root: str, split: str, holdout: int, labels: str) -> None:
        """Refuse a part or labels that there are none of, and a folder that is not there.

        Raises:
            DataError: says which there are.
        """
        if split not in PARTS:
            raise DataError(f'`{split}` is not a split of `{data_root}`',
                            hint=f'one of {", ".join(PARTS)}')
        if labels not in cls.label_choices:
            raise DataError(f'`{labels}` are no labels of {cls.__name__}',
                            hint=f'labels is one of {", ".join(cls.label_choices)}')
        if holdout < 0:
            raise DataError(f'holdout={holdout}', hint='0, or a number of images of each class')
        if split not in cls.find_parts(data_root, holdout=holdout):
            raise DataError(
                f'`{data_root}` has no labelled {split} part: without a holdout its evaluation '
                'images are `val`', hint='--split val; or holdout=50 in every part, which '
                'makes 50 training images of each class `val` and the evaluation images `test`')
        if not Path(data_root).is_dir():
            raise DataError(f'no data set at `{data_root}`', hint=cls.how_to_get(data_root))

    def read_listing(self, training: bool) -> Listing:
        """Read the images that are meant for training, or for evaluation."""
        raise NotImplementedError

    def describe_samples(self, listing: Listing, chosen: np.ndarray) -> list[dict]:
        """What the pipeline gets of each chosen image.

        Args:
            listing: From `read_listing`.
            chosen: Places in it, int [N].
        """
        raise NotImplementedError

    def load_data_list(self) -> list[dict]:
        """Read, hold out, take the subset."""
        training = self.split == 'train' or (self.split == 'val' and self.holdout > 0)
        listing = self.read_listing(training)
        chosen = np.arange(len(listing.ids))
        if training and self.holdout:
            kept = held_out(listing.ids, listing.numbers, listing.classes, self.holdout, self.seed)
            chosen = np.flatnonzero(kept == (self.split == 'val'))
        if self.subset is not None:
            chosen = chosen[balanced_subset(
                [listing.ids[place] for place in chosen],
                [listing.numbers[place] for place in chosen], listing.classes, self.subset,
                self.seed)]
        return self.describe_samples(listing, chosen)
