import copy
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.runner import Runner
from torch.utils.data import Subset

from amlnn.data.images.folder import ImageNetFolder
from amlnn.data.images.views import ViewDataset, ViewSampler, seeded, view_seed

PIPELINE = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(type='mmpretrain.RandomResizedCrop', scale=16),
    dict(type='mmpretrain.RandomFlip', prob=0.5),
    dict(type='mmpretrain.ColorJitter', brightness=0.5, contrast=0.5),
    dict(type='mmpretrain.PackInputs'),
]


def folder(data_set, split='train') -> ImageNetFolder:
    return ImageNetFolder(str(data_set), split=split, pipeline=copy.deepcopy(PIPELINE))


def views_of(data_set, epochs=2, workers=0, batch_size=8, shuffle=True, wrap=lambda inner: inner):
    """Every augmented image of some epochs: {(id, epoch): bytes}."""
    loader = Runner.build_dataloader(dict(
        batch_size=batch_size, num_workers=workers, persistent_workers=False,
        collate_fn=dict(type='default_collate'),
        dataset=ViewDataset(wrap(folder(data_set)), seed=3),
        sampler=dict(type='ViewSampler', sampler=dict(type='DefaultSampler', shuffle=shuffle))),
        seed=3)
    seen = {}
    for epoch in range(epochs):
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            for pixels, sample in zip(batch['inputs'], batch['data_samples'], strict=True):
                seen[sample.id, epoch] = pixels.numpy().tobytes()
    return seen


@pytest.fixture(scope='module')
def reference(data_set):
    return views_of(data_set)


def test_every_image_is_augmented_anew_in_every_epoch(reference):
    assert len(reference) == 2 * 40
    assert len(set(reference.values())) == len(reference)


@pytest.mark.parametrize('change', [
    dict(workers=1), dict(workers=2), dict(batch_size=3), dict(shuffle=False),
    dict(wrap=lambda inner: Subset(inner, range(39, -1, -1))),
    dict(wrap=lambda inner: ConcatDataset([inner])),
], ids=['one worker', 'two workers', 'another batch size', 'another order', 'a subset',
        'a concatenation'])
def test_a_view_depends_on_nothing_but_seed_image_and_epoch(data_set, reference, change):
    assert views_of(data_set, **change) == reference


def test_a_view_does_not_depend_on_where_the_data_set_lies(data_set, reference, tmp_path):
    moved = tmp_path / 'elsewhere'
    moved.symlink_to(data_set)
    assert views_of(moved) == reference


def test_an_image_that_is_listed_twice_gets_two_views_in_an_epoch(data_set):
    data = ViewDataset(RepeatDataset(folder(data_set), times=2))
    first, second = data[(0, 0)]['inputs'], data[(40, 0)]['inputs']
    assert data.key(0) == data.key(40)
    assert not torch.equal(first, second)


def test_an_image_that_a_sampler_repeats_gets_a_view_each_time(data_set):
    data = ViewDataset(folder(data_set))
    sampler = ViewSampler(data, dict(type='mmpretrain.RepeatAugSampler', num_repeats=3), seed=0)
    drawn = list(sampler)
    repeats = [view for view in drawn if view.index == drawn[0].index]
    assert len({(view.view, view.repeat) for view in repeats}) == len(repeats) > 1


def test_a_data_set_gives_the_model_its_random_numbers_back(data_set):
    data = ViewDataset(folder(data_set))
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    expected = random.random(), np.random.rand(), torch.rand(1)
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    _ = data[(0, 0)]
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected


def test_seeded_restores_the_generators_after_an_error():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    with pytest.raises(ValueError, match='broken'), seeded(1):
        raise ValueError('broken image')
    assert torch.equal(torch.rand(1), expected)


def test_seeds_of_views_differ_in_every_part():
    parts = [(0, 'a', 0, 0), (1, 'a', 0, 0), (0, 'b', 0, 0), (0, 'a', 1, 0), (0, 'a', 0, 1)]
    seeds = [view_seed(*part) for part in parts]
    assert len(set(seeds)) == len(parts)
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_validation_always_asks_for_view_zero(data_set):
    data = ViewDataset(folder(data_set))
    sampler = ViewSampler(data, dict(type='DefaultSampler', shuffle=False), seed=0, views=1)
    sampler.set_epoch(7)
    assert {view.view for view in sampler} == {0}
