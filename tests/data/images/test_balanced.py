from collections import Counter

import numpy as np
import pytest

from amlnn.data.images.balanced import balanced_subset, held_out
from amlnn.errors import DataError

CLASSES = ['ant', 'bee', 'cow']
IDS = [f'train/{name}/{number}.png' for number in range(10) for name in CLASSES]
LABELS = [CLASSES.index(name.split('/')[1]) for name in IDS]


def names(places) -> set[str]:
    return {IDS[place] for place in places}


def test_as_many_images_of_each_class_are_held_out():
    chosen = held_out(IDS, LABELS, CLASSES, 3, seed=0)
    assert Counter(np.array(LABELS)[chosen].tolist()) == {0: 3, 1: 3, 2: 3}


def test_a_subset_has_as_many_images_of_each_class_in_the_order_of_the_data_set():
    chosen = balanced_subset(IDS, LABELS, CLASSES, 12, seed=0)
    assert Counter(np.array(LABELS)[chosen].tolist()) == {0: 4, 1: 4, 2: 4}
    assert chosen.tolist() == sorted(chosen.tolist())


def test_neither_depends_on_the_order_of_the_images():
    order = np.random.default_rng(0).permutation(len(IDS))
    ids, labels = [IDS[place] for place in order], [LABELS[place] for place in order]
    held = held_out(ids, labels, CLASSES, 3, seed=5)
    assert {ids[place] for place in np.flatnonzero(held)} \
        == names(np.flatnonzero(held_out(IDS, LABELS, CLASSES, 3, seed=5)))
    assert {ids[place] for place in balanced_subset(ids, labels, CLASSES, 6, seed=5)} \
        == names(balanced_subset(IDS, LABELS, CLASSES, 6, seed=5))


def test_another_seed_takes_others():
    assert names(balanced_subset(IDS, LABELS, CLASSES, 6, seed=0)) \
        != names(balanced_subset(IDS, LABELS, CLASSES, 6, seed=1))
    assert not np.array_equal(held_out(IDS, LABELS, CLASSES, 3, seed=0),
                              held_out(IDS, LABELS, CLASSES, 3, seed=1))


def test_a_smaller_subset_is_part_of_a_larger_one():
    assert names(balanced_subset(IDS, LABELS, CLASSES, 6, seed=0)) \
        < names(balanced_subset(IDS, LABELS, CLASSES, 12, seed=0))


def test_an_image_that_is_added_moves_at_most_one_other():
    before = names(balanced_subset(IDS, LABELS, CLASSES, 12, seed=0))
    ids, labels = ['train/ant/new.png', *IDS], [0, *LABELS]
    after = {ids[place] for place in balanced_subset(ids, labels, CLASSES, 12, seed=0)}
    assert len(before - after) <= 1


@pytest.mark.parametrize(('total', 'hint'), [(10, 'subset=9'), (1, 'subset=3'), (0, 'subset=3'),
                                             (-3, 'subset=3')])
def test_a_subset_that_cannot_be_shared_equally_is_an_error_with_one_that_can(total, hint):
    with pytest.raises(DataError, match=f'subset={total} cannot be shared') as error:
        balanced_subset(IDS, LABELS, CLASSES, total, seed=0)
    assert hint in error.value.hint


def test_a_subset_of_more_than_there_is_names_the_class_and_the_most():
    with pytest.raises(DataError, match='11 images of each class, and class `ant` has 10') as error:
        balanced_subset(IDS, LABELS, CLASSES, 33, seed=0)
    assert 'subset=30' in error.value.hint


def test_a_holdout_that_leaves_no_training_image_is_an_error():
    with pytest.raises(DataError, match=r'holdout=10 leaves nothing.*`ant`, which has 10') as error:
        held_out(IDS, LABELS, CLASSES, 10, seed=0)
    assert 'below 10' in error.value.hint
