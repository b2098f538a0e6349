"""Augmented views of images whose random numbers depend on nothing but (seed, image, view).

A view is one drawing of the augmentation pipeline for one image. The sampler yields (index, view);
the data set seeds python, numpy and torch from (seed, path relative to the data root, view) before
the pipeline runs. So a view is the same for any number of workers, batch size, order, and after a
resume: MMEngine's own loaders with `persistent_workers=False` replay one augmentation every epoch.
In a plain run view = epoch.
"""

import hashlib
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import NamedTuple

import cv2
import numpy as np
import torch
from mmengine.registry import DATA_SAMPLERS, DATASETS

from amlnn.data.shares import Share
from amlnn.errors import AmlnnError, DataError

__all__ = ['View', 'ViewDataset', 'ViewSampler', 'draws_nothing', 'seeded', 'view_seed']

# Of MMPretrain, mmcv and torchvision, those that do the same to an image every time.
_FIXED = {
    'CenterCrop', 'Collect', 'EfficientNetCenterCrop', 'LoadCachedImage', 'LoadImageFromFile',
    'Normalize', 'NumpyToPIL', 'PILToNumpy', 'PackInputs', 'Pad', 'Resize', 'ResizeEdge',
    'torchvision/CenterCrop', 'torchvision/Normalize', 'torchvision/Pad', 'torchvision/Resize',
    'torchvision/ToTensor',
}


class View(NamedTuple):
    """What the sampler asks the data set for."""

    index: int
    view: int
    repeat: int = 0
    """Counts draws of one index within one view, for samplers that repeat images in an epoch."""


def view_seed(seed: int, key: str, view: int, repeat: int = 0) -> int:
    """A 32-bit seed from (seed, image, view), the same on every machine.

    >>> view_seed(0, 'training_set/rose/1.jpg', 0) == view_seed(0, 'training_set/rose/1.jpg', 0)
    True
    >>> view_seed(0, 'a', 1) == view_seed(0, 'a', 2)
    False
    """
    text = '\0'.join((str(seed), key, str(view), str(repeat)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), 'little')


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed python, numpy and torch's CPU generator, and put their states back at the end.

    Without workers the pipeline shares its process with the model, whose dropout must not be
    reseeded with every image.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)  # torch.manual_seed would touch every accelerator
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def draws_nothing(pipeline: Sequence[dict]) -> bool:
    """Whether every view of an image is the same, because no transform is random.

    A transform that is not known counts as random.

    >>> draws_nothing([dict(type='LoadImageFromFile'), dict(type='PackInputs')])
    True
    >>> draws_nothing([dict(type='LoadImageFromFile'), dict(type='RandomFlip', prob=0.5)])
    False
    """
    names = (str(step.get('type')) for step in pipeline)
    return all(name.removeprefix('mmpretrain.').removeprefix('mmcv.') in _FIXED for name in names)


@DATASETS.register_module()
class ViewDataset:
    """Wraps a data set so that an item is a function of (seed, image, view).

    Args:
        dataset: A data set or its config; wrappers of MMEngine, MMPretrain and torch included.
        seed: Seed of the run.

    Attributes:
        leaves: The data sets inside all wrappers.
        data_roots: Their data roots.
    """

    def __init__(self, dataset, seed: int = 0):
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self.seed = seed
        if hasattr(self.dataset, 'full_init'):
            self.dataset.full_init()
        self.leaves = _leaves(self.dataset)
        self.data_roots = {str(leaf.data_root) for leaf in self.leaves
                           if getattr(leaf, 'data_root', None)}
        self._roots = sorted(self.data_roots, key=len, reverse=True)
        self._occurrences = _occurrences(self.dataset)

    def full_init(self) -> None:
        """Nothing is left to do; MMEngine calls it."""

    @property
    def metainfo(self) -> dict:
        """The wrapped data set's, as MMEngine reads it."""
        return getattr(self.dataset, 'metainfo', {})

    @property
    def CLASSES(self) -> list[str] | None:  # noqa: N802 - so ClassNumCheckHook asks
        """The class names."""
        return self.metainfo.get('classes')

    def __len__(self) -> int:
        return len(self.dataset)

    def get_data_info(self, index: int) -> dict:
        """What the wrapped data set knows about an item before the pipeline."""
        return _data_info(self.dataset, index)

    def distinct(self) -> list[int]:
        """Indices of the images, one of each that a wrapper lists several times."""
        if self._occurrences is None:
            return list(range(len(self)))
        return np.flatnonzero(self._occurrences == 0).tolist()

    def get_cat_ids(self, index: int) -> list[int]:
        """Class numbers of an item, for samplers and wrappers that balance classes."""
        return self.dataset.get_cat_ids(index)

    def get_gt_labels(self):
        """Class numbers of all items, for hooks that count classes."""
        return self.dataset.get_gt_labels()

    def key(self, index: int) -> str:
        """The image's path relative to the data root, with forward slashes, or its `id`."""
        info = self.get_data_info(index)
        if 'id' in info:  # its data set says which image of an array it is
            return info['id']
        path = info.get('img_path')
        if path is None:
            return f'#{info.get("sample_idx", index)}'
        for root in self._roots:
            if PurePath(path).is_relative_to(root):
                return PurePath(path).relative_to(root).as_posix()
        return PurePath(path).as_posix()

    def __getitem__(self, item: View | tuple[int, int] | int):
        index, view, repeat = View(*item) if isinstance(item, tuple) else View(item, 0)
        key = self.key(index)
        if self._occurrences is not None:  # a wrapper lists one image several times
            repeat += int(self._occurrences[index]) << 16
        with seeded(view_seed(self.seed, key, view, repeat)):
            try:
                result = self.dataset[index]
            except Exception as error:
                self._explain(index, error)
                raise
        samples = result.get('data_samples') if isinstance(result, dict) else None
        for sample in samples if isinstance(samples, list) else [samples]:  # test-time augmentation
            if hasattr(sample, 'set_metainfo'):
                sample.set_metainfo({'id': key})
        return result

    def _explain(self, index: int, error: Exception) -> None:
        """Raise the true reason where it is the image, which the pipeline's error does not name."""
        path = self.get_data_info(index).get('img_path')
        if path and not isinstance(error, AmlnnError) and not _is_readable(path):
            raise DataError(f'`{path}` cannot be read as an image',
                            hint='python data_preprocess.py finds such files before they are '
                            'trained on') from error


def _is_readable(path: str) -> bool:
    try:
        return cv2.imread(path) is not None
    except cv2.error:
        return False


@DATA_SAMPLERS.register_module()
class ViewSampler:
    """Turns the indices of any sampler into views: view = epoch, or epoch modulo `views`.

    An image that the sampler draws several times in an epoch comes in as many views: with a number
    of `views` in the ones that follow, as far as they reach.

    Args:
        dataset: The data set.
        sampler: Config of the sampler that orders the indices.
        seed: Passed on to the sampler.
        views: How many different views there are; None for a new one in every epoch. 1 for
            validation and test parts, which always see view 0.
        share: What one of several processes takes of the order, as Share's arguments; None is all
            of it.
    """

    def __init__(self, dataset, sampler: dict, seed: int | None = None, views: int | None = None,
                 share: dict | None = None):
        arguments = {'dataset': dataset, 'seed': seed}
        self.sampler = DATA_SAMPLERS.build(sampler, default_args=arguments)
        self.seed = seed or 0
        self.views = views
        self.share = Share(**share) if share else None
        self.epoch = 0
        self._idle = False

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Within it nothing is asked for, by a loader that is to start its workers."""
        self._idle = True
        try:
            yield
        finally:
            self._idle = False

    def set_epoch(self, epoch: int) -> None:
        """Choose the order and the views of an epoch, counted from 0."""
        self.epoch = epoch
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[View]:
        if self._idle:
            return iter(())
        if self.share is None:
            return self._all()
        # Of a sampler that draws from the process's own generators, all processes have to see the
        # same order.
        with seeded(view_seed(self.seed, 'order', self.epoch)):
            return iter(self.share.of(list(self._all())))

    def _all(self) -> Iterator[View]:
        drawn: dict[int, int] = {}
        for index in self.sampler:
            index = index.index if isinstance(index, View) else int(index)
            repeat = drawn.get(index, 0)
            drawn[index] = repeat + 1
            if self.views:
                yield View(index, (self.epoch + repeat) % self.views)
            else:
                yield View(index, self.epoch, repeat)

    def __len__(self) -> int:
        total = len(self.sampler)
        return total if self.share is None else self.share.length(total)

    @property
    def empty_at_end(self) -> bool:
        """Whether the last batch is only there so that all processes take as many steps."""
        return self.share is not None and self.share.is_empty_at_end(len(self.sampler))


def _children(dataset) -> list:
    inner = getattr(dataset, 'datasets', None)
    if inner is None:
        inner = [dataset.dataset] if hasattr(dataset, 'dataset') else []
    return list(inner)


def _leaves(dataset) -> list:
    children = _children(dataset)
    return [leaf for child in children for leaf in _leaves(child)] if children else [dataset]


def _data_info(dataset, index: int) -> dict:
    if hasattr(dataset, 'get_data_info'):
        return dataset.get_data_info(index)
    if hasattr(dataset, 'indices') and hasattr(dataset, 'dataset'):  # torch's Subset, KFoldDataset
        return _data_info(dataset.dataset, int(dataset.indices[index]))
    return {}


def _occurrences(dataset) -> np.ndarray | None:
    """How often the image of each index came before it, or None where each comes once."""
    if not _children(dataset):
        return None
    seen: dict[str, int] = {}
    counts = np.zeros(len(dataset), dtype=np.int32)
    for index in range(len(dataset)):
        info = _data_info(dataset, index)
        key = str(info.get('id') or info.get('img_path') or info.get('sample_idx', index))
        counts[index] = seen.get(key, 0)
        seen[key] = counts[index] + 1
    return counts if counts.any() else None
