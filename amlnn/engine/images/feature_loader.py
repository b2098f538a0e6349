"""A loader that yields a trunk's features in place of images, in the same order."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from amlnn.data.cache.feature_store import FeatureStore
from amlnn.data.images.views import View
from amlnn.engine.workers import end_workers
from amlnn.quiet import quiet_imports

with quiet_imports():
    from mmpretrain.structures import DataSample

__all__ = ['FeatureLoader']

Piece = tuple[Sequence[int], Tensor, list]
"""Places in a batch, their features and their samples."""

Planned = tuple[list[View], list[int]]
"""A batch, and the places in it whose features are not there."""

_SAMPLES = 1 << 14
"""That are kept between epochs: a hundred times as many would be gigabytes."""


class FeatureLoader:
    """Yields what an image loader yields, with features for inputs, in the same order.

    Of a batch, what lies in the store is read, and only the rest is computed.

    Args:
        features: What the trunk makes of a collated batch of images.
        label: Writes into a sample what the model's preprocessor makes of its label.
        images: The loader it stands in for.
        store: Where features are kept.
        keep: Write what was computed.
    """

    def __init__(self, features: Callable[[dict], Tensor], label: Callable[[DataSample], None],
                 images: DataLoader, store: FeatureStore, keep: bool):
        self.store = store
        self.keep = keep
        self.dataset = images.dataset
        self.sampler = images.sampler
        self.batch_sampler = images.batch_sampler
        self.batch_size = images.batch_size
        self._features = features
        self._label = label
        self._collate = images.collate_fn
        self._wanted = _Batches()
        self._images = DataLoader(
            images.dataset, batch_sampler=self._wanted, num_workers=images.num_workers,
            collate_fn=images.collate_fn, worker_init_fn=images.worker_init_fn,
            generator=images.generator, persistent_workers=images.num_workers > 0,
            prefetch_factor=images.prefetch_factor, pin_memory=images.pin_memory,
            timeout=images.timeout, multiprocessing_context=images.multiprocessing_context)
        self._samples: dict[int, DataSample] = {}

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[dict]:
        planned = self._planned()
        for batch, places in planned:
            if places:  # from here on the image loader, which works ahead, asks for what comes
                yield from self._with_images(chain([(batch, places)], planned))
            else:
                yield _together(self._read(batch, []))

    def end_workers(self) -> None:
        """End the processes that load images."""
        end_workers(self._images)

    def _planned(self) -> Iterator[Planned]:
        """Each batch and what is to be computed of it, as it comes: there may be millions."""
        missing: dict[int, np.ndarray] = {}
        for views in self.batch_sampler:
            batch = [View(*view) for view in views]
            for view in {each.view for each in batch} - missing.keys():
                missing[view] = np.zeros(len(self.dataset), bool)
                missing[view][self.store.missing(view)] = True
            places = [place for place, each in enumerate(batch)
                      if each.repeat or missing[each.view][each.index]]
            for each in (batch[place] for place in places):
                # What a batch writes serves those behind it.
                if self.keep and not each.repeat and self.store.writable(each.view):
                    missing[each.view][each.index] = False
            yield batch, places

    def _with_images(self, planned: Iterator[Planned]) -> Iterator[dict]:
        """The rest of an epoch, images coming from the image loader."""
        ahead: deque[Planned] = deque()

        def asked() -> Iterator[list[View]]:
            for batch, places in planned:
                ahead.append((batch, places))
                if places:
                    yield [batch[place] for place in places]

        self._wanted.batches = asked()
        for collated in self._images:
            pieces: list[Piece] = []
            while not pieces:
                batch, places = ahead.popleft()
                pieces = [self._compute(batch, places, collated)] if places else []
                yield _together(pieces + self._read(batch, places))
        for batch, places in ahead:
            yield _together(self._read(batch, places))

    def _compute(self, batch: list[View], places: list[int], collated: dict) -> Piece:
        samples = collated['data_samples']
        features = self._features(collated)
        if self.keep:
            for view, rows in _by_view([batch[place] for place in places]):
                kept = [row for row in rows if not batch[places[row]].repeat]
                if kept:
                    self.store.write(view, [batch[places[row]].index for row in kept],
                                     features if len(kept) == len(places) else features[kept])
        return places, features, samples

    def _read(self, batch: list[View], computed: list[int]) -> list[Piece]:
        """What is not computed, from the store; what it has lost is computed after all."""
        left = sorted(set(range(len(batch))) - set(computed))
        pieces: list[Piece] = []
        for view, rows in _by_view([batch[place] for place in left]):
            places = [left[row] for row in rows]
            features, damaged = self.store.read(view, [batch[place].index for place in places])
            lost = [places[row] for row in damaged]  # noticed only now, by its checksum
            if lost:
                collated = self._collate([self.dataset[batch[place]] for place in lost])
                pieces.append(self._compute(batch, lost, collated))
                right = [row for row, place in enumerate(places) if place not in set(lost)]
                places, features = [places[row] for row in right], features[right]
            if places:
                pieces.append((places, features,
                               [self._sample(batch[place].index) for place in places]))
        return pieces

    def _sample(self, index: int) -> DataSample:
        sample = self._samples.get(index)
        if sample is None:
            label = self.dataset.get_data_info(index)['gt_label']
            sample = DataSample(metainfo={'id': self.dataset.key(index)}).set_gt_label(label)
            self._label(sample)
            if len(self._samples) < _SAMPLES:
                self._samples[index] = sample
        return sample.clone()


class _Batches:
    """A batch sampler whose batches are chosen anew for every pass."""

    def __init__(self):
        self.batches: Iterator[list[View]] = iter(())

    def __iter__(self) -> Iterator[list[View]]:
        return self.batches


def _by_view(views: list[View]) -> Iterator[tuple[int, list[int]]]:
    """Each view that comes up, with the rows that are of it."""
    for view in dict.fromkeys(each.view for each in views):
        yield view, [row for row, each in enumerate(views) if each.view == view]


def _together(pieces: list[Piece]) -> dict:
    """One batch of pieces, each sample in its place."""
    if len(pieces) == 1:
        return {'inputs': pieces[0][1], 'data_samples': pieces[0][2]}
    device = pieces[0][1].device
    places = torch.tensor([place for piece in pieces for place in piece[0]])
    order = places.argsort()
    samples = [sample for piece in pieces for sample in piece[2]]
    features = torch.cat([piece[1].to(device) for piece in pieces])
    return {'inputs': features[order.to(device)],
            'data_samples': [samples[row] for row in order.tolist()]}
