import pytest
import torch
from mmpretrain.structures import DataSample
from torch.utils.data import BatchSampler, DataLoader

from amlnn.data.cache.feature_store import FeatureStore
from amlnn.data.images.views import View
from amlnn.engine.images import feature_loader
from amlnn.engine.images.feature_loader import FeatureLoader

IMAGES, BATCH = 23, 4


class Numbered:
    """Image i of view v is the number 100 v + i, of class i modulo 3."""

    def __len__(self):
        return IMAGES

    def get_data_info(self, index):
        return {'gt_label': index % 3}

    def key(self, index):
        return f'{index}.jpg'

    def __getitem__(self, item):
        sample = DataSample(metainfo={'id': self.key(item.index)}).set_gt_label(item.index % 3)
        return {'inputs': torch.tensor([100. * item.view + item.index]), 'data_samples': sample}


class Order:
    """Indices as views, counting how many were asked for."""

    def __init__(self, indices=range(IMAGES), view=0):
        self.indices, self.view, self.asked = list(indices), view, 0

    def __iter__(self):
        for index in self.indices:
            self.asked += 1
            yield View(index, self.view)

    def __len__(self):
        return len(self.indices)


@pytest.fixture
def store(tmp_path):
    ids = [f'{index}.jpg' for index in range(IMAGES)]
    with FeatureStore.open(tmp_path, {}, (1,), torch.float32, ids, 2, 10**9) as opened:
        yield opened


def loader_of(store, order, workers=0, computed=None):
    def features(batch):
        values = torch.stack(batch['inputs'])
        if computed is not None:
            computed.extend(values.flatten().int().tolist())
        return values

    images = DataLoader(Numbered(), batch_sampler=BatchSampler(order, BATCH, drop_last=False),
                        num_workers=workers, persistent_workers=workers > 0,
                        collate_fn=lambda items: {
                            'inputs': [item['inputs'] for item in items],
                            'data_samples': [item['data_samples'] for item in items]})
    return FeatureLoader(features, lambda sample: None, images, store, keep=True)


def contents(batches):
    return [(batch['inputs'].flatten().int().tolist(),
             [(sample.id, int(sample.gt_label)) for sample in batch['data_samples']])
            for batch in batches]


def expected(order):
    indices = [order.indices[first:first + BATCH] for first in range(0, len(order), BATCH)]
    return [([100 * order.view + index for index in batch],
             [(f'{index}.jpg', index % 3) for index in batch]) for batch in indices]


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('kept', [
    [], range(IMAGES), range(0, IMAGES, 2), range(8), range(8, IMAGES), [5], [22],
    [each for each in range(IMAGES) if each // BATCH % 2]],
    ids=['none', 'all', 'every other', 'the first two batches', 'all but the first two batches',
         'one', 'the last', 'every other batch'])
def test_batches_come_in_order_whatever_of_them_is_kept_already(store, kept, workers):
    kept = list(kept)
    if kept:
        store.write(0, kept, torch.tensor(kept, dtype=torch.float32)[:, None])
    order, computed = Order(), []
    loader = loader_of(store, order, workers, computed)
    assert contents(loader) == expected(order)
    assert computed == sorted(set(range(IMAGES)) - set(kept))
    assert contents(loader) == expected(order)
    assert len(computed) == IMAGES - len(kept)  # the second pass reads


def test_another_view_and_another_order_are_computed_once(store):
    backwards = Order(reversed(range(IMAGES)), view=1)
    computed = []
    loader = loader_of(store, backwards, computed=computed)
    for _ in range(2):
        assert contents(loader) == expected(backwards)
    assert sorted(computed) == [100 + index for index in range(IMAGES)]


@pytest.mark.parametrize('kept', [True, False])
def test_no_more_of_an_epoch_is_planned_than_the_batch_that_is_wanted(store, kept):
    if kept:
        store.write(0, range(IMAGES), torch.arange(IMAGES, dtype=torch.float32)[:, None])
    order = Order()
    next(iter(loader_of(store, order)))
    assert order.asked == BATCH


def test_a_pass_that_was_given_up_does_not_disturb_the_next(store):
    order = Order()
    loader = loader_of(store, order, workers=2)
    left = iter(loader)
    next(left)
    assert contents(loader) == expected(order)


def test_no_more_samples_are_kept_than_there_is_memory_for(store, monkeypatch):
    monkeypatch.setattr(feature_loader, '_SAMPLES', 5)
    store.write(0, range(IMAGES), torch.arange(IMAGES, dtype=torch.float32)[:, None])
    order = Order()
    loader = loader_of(store, order)
    for _ in range(2):
        assert contents(loader) == expected(order)
        assert len(loader._samples) == 5


def test_a_sample_that_is_changed_is_whole_again_in_the_next_epoch(store):
    store.write(0, range(IMAGES), torch.arange(IMAGES, dtype=torch.float32)[:, None])
    order = Order()
    loader = loader_of(store, order)
    for batch in loader:
        for sample in batch['data_samples']:
            sample.set_gt_label(2)
    assert contents(loader) == expected(order)
