"""Images of some classes are drawn more often, in proportion and each in views of its own."""

from collections import Counter

import numpy as np
import pytest

from amlnn.data.images.folder import ImageNetFolder
from amlnn.data.images.views import ViewDataset, ViewSampler
from amlnn.data.images.weighted import WeightedSampler
from amlnn.errors import ConfigError, DataError

LABELS = [0] * 30 + [1] * 7 + [2] * 3


class Labelled:
    """A data set of nothing but labels."""

    def __init__(self, labels=LABELS):
        self.labels = labels

    def __len__(self):
        return len(self.labels)

    def get_data_info(self, index):
        return {'gt_label': self.labels[index]}


def epochs(sampler, count):
    for epoch in range(count):
        sampler.set_epoch(epoch)
        yield list(sampler)


def test_without_weights_all_classes_are_drawn_equally_often():
    sampler = WeightedSampler(Labelled(), length=60)
    for drawn in epochs(sampler, 20):
        counts = Counter(LABELS[index] for index in drawn)
        assert len(drawn) == len(sampler) == 60
        # Every image twice, 0.67 times or so; a class is off by less than one draw an image.
        assert [counts[label] for label in range(3)] == pytest.approx([20, 20, 20], abs=7)
    total = Counter(LABELS[index] for drawn in epochs(sampler, 300) for index in drawn)
    assert [total[label] / 300 for label in range(3)] == pytest.approx([20, 20, 20], abs=0.5)


def test_an_image_is_drawn_as_often_as_its_share_in_whole_numbers():
    weights = [1.0, 2.0, 5.0]
    shares = np.array([weights[label] for label in LABELS])
    shares *= len(LABELS) / shares.sum()
    seen = np.zeros(len(LABELS))
    for drawn in epochs(WeightedSampler(Labelled(), class_weights=weights), 400):
        counts = np.bincount(drawn, minlength=len(LABELS))
        assert (np.abs(counts - shares) < 1).all() and counts.sum() == len(LABELS)
        seen += counts
    assert seen / 400 == pytest.approx(shares, abs=0.12)


def test_equal_weights_draw_every_image_once_in_a_new_order():
    one, two = epochs(WeightedSampler(Labelled(), class_weights=[3, 3, 3]), 2)
    assert sorted(one) == sorted(two) == list(range(len(LABELS)))
    assert one != two != sorted(two)


def test_the_draws_are_a_function_of_seed_and_epoch():
    first = list(epochs(WeightedSampler(Labelled(), seed=4), 3))
    again = WeightedSampler(Labelled(), seed=4)
    again.set_epoch(2)
    assert list(again) == list(again) == first[2]
    assert list(WeightedSampler(Labelled(), seed=5)) != first[0] != first[1]


def test_a_class_of_weight_zero_is_not_drawn():
    drawn = list(WeightedSampler(Labelled(), class_weights=[0, 1, 1], length=20))
    assert len(drawn) == 20 and {LABELS[index] for index in drawn} == {1, 2}


@pytest.mark.parametrize('weights', [[1, 1], [0, 0, 0], [1, -1, 1], [1, float('nan'), 1]])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(ConfigError, match='class_weights'):
        WeightedSampler(Labelled(), class_weights=weights)


def test_images_without_a_single_label_are_refused():
    with pytest.raises(DataError, match='no single one'):
        WeightedSampler(Labelled([[0, 1], [1], [0]]))


def test_an_image_that_is_drawn_twice_in_an_epoch_comes_in_two_views(data_set):
    data = ViewDataset(ImageNetFolder(str(data_set), split='train', pipeline=[]))
    weights = [9, 1, 1, 1, 1]
    new = ViewSampler(data, dict(type='WeightedSampler', class_weights=weights), seed=1)
    few = ViewSampler(data, dict(type='WeightedSampler', class_weights=weights), seed=1, views=9)
    for sampler in (new, few):
        sampler.set_epoch(8)
        drawn = list(sampler)
        assert len({view.index for view in drawn}) < len(drawn) == len(set(drawn)) == 40
    assert {view.view for view in new} == {8} and {view.repeat for view in few} == {0}
    assert {view.view for view in few} <= set(range(9))


def test_with_few_views_the_later_draws_begin_again(data_set):
    data = ViewDataset(ImageNetFolder(str(data_set), split='train', pipeline=[]))
    sampler = ViewSampler(data, dict(type='mmpretrain.RepeatAugSampler', num_repeats=3), seed=0,
                          views=2)
    sampler.set_epoch(1)
    drawn = list(sampler)
    own = [view.view for view in drawn if view.index == drawn[0].index]
    assert own == [1, 0, 1]
