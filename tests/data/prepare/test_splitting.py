"""Which image goes to which split."""

import hashlib
import random
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlnn.data.prepare.splitting import assign_splits, split_counts

RATIOS = st.sampled_from([
    {'train': 0.8, 'val': 0.2, 'test': 0.0}, {'train': 0.7, 'val': 0.2, 'test': 0.1},
    {'train': 0.34, 'val': 0.33, 'test': 0.33}, {'train': 0.98, 'val': 0.01, 'test': 0.01},
    {'train': 1.0, 'val': 0.0, 'test': 0.0}, {'train': 0.5, 'val': 0.0, 'test': 0.5}])
NAMES = st.sets(st.tuples(st.sampled_from(['a', 'a b', 'z']), st.integers(0, 10**6)),
                min_size=9, max_size=60)


def paths_of(names):
    """Paths of classes that have at least three images each."""
    paths = [f'{name}/{number}.jpg' for name, number in names]
    return paths + [f'{name}/more{number}.jpg' for name in {n for n, _ in names}
                    for number in range(3)]


@given(total=st.integers(3, 5000), ratios=RATIOS)
def test_counts_sum_up_miss_their_share_by_less_than_one_and_are_never_zero(total, ratios):
    counts = split_counts(total, ratios)
    assert sum(counts.values()) == total
    assert list(counts) == [split for split, ratio in ratios.items() if ratio > 0]
    assert min(counts.values()) >= 1
    if min(total * ratio for ratio in ratios.values() if ratio) >= 1:
        assert all(abs(count - total * Fraction(str(ratios[split]))) < 1
                   for split, count in counts.items())


def test_counts_by_hand():
    assert split_counts(10, {'train': 0.7, 'val': 0.2, 'test': 0.1}) == \
        {'train': 7, 'val': 2, 'test': 1}
    assert split_counts(611, {'train': 0.8, 'val': 0.2}) == {'train': 489, 'val': 122}
    assert split_counts(3, {'train': 0.98, 'val': 0.01, 'test': 0.01}) == \
        {'train': 1, 'val': 1, 'test': 1}


def test_a_class_with_fewer_images_than_splits_is_refused():
    with pytest.raises(ValueError, match='2 images cannot fill 3 splits'):
        assign_splits(['a/1', 'a/2'], {'train': 0.8, 'val': 0.1, 'test': 0.1}, seed=0)


@given(names=NAMES, ratios=RATIOS, seed=st.integers(), shuffle=st.randoms())
def test_every_image_gets_one_split_whatever_the_order_it_came_in(names, ratios, seed, shuffle):
    paths = paths_of(names)
    chosen = assign_splits(paths, ratios, seed)
    shuffle.shuffle(paths)
    assert assign_splits(paths, ratios, seed) == chosen
    assert sorted(chosen) == sorted(paths)
    for name, total in Counter(path.split('/')[0] for path in paths).items():
        counts = Counter(split for path, split in chosen.items() if path.split('/')[0] == name)
        assert counts == split_counts(total, ratios)


def test_the_split_is_the_order_of_hashes_cut_at_the_counts():
    paths = [f'cat/{number}.jpg' for number in range(10)]
    order = sorted(paths, key=lambda path: hashlib.sha256(f'7\n{path}'.encode()).hexdigest())
    chosen = assign_splits(paths, {'train': 0.6, 'val': 0.3, 'test': 0.1}, seed=7)
    assert [chosen[path] for path in order] == ['train'] * 6 + ['val'] * 3 + ['test']


def test_paths_come_sorted_by_class_then_file():
    paths = ['a/1', 'a/2', 'a b/1', 'a b/2']
    assert list(assign_splits(paths, {'train': 0.5, 'val': 0.5}, seed=0)) == \
        ['a/1', 'a/2', 'a b/1', 'a b/2']


@given(count=st.integers(3, 80), ratios=RATIOS, seed=st.integers(0, 99))
def test_one_more_image_moves_at_most_two_others(count, ratios, seed):
    paths = [f'cat/{number}.jpg' for number in range(count)]
    before = assign_splits(paths, ratios, seed)
    after = assign_splits([*paths, 'cat/new.jpg'], ratios, seed)
    assert sum(before[path] != after[path] for path in paths) <= 2


def test_another_seed_is_another_split():
    paths = [f'cat/{number}.jpg' for number in range(50)]
    splits = [assign_splits(paths, {'train': 0.8, 'val': 0.2}, seed) for seed in range(5)]
    assert len({tuple(split.items()) for split in splits}) == 5


def test_the_global_random_state_neither_matters_nor_changes():
    paths = [f'cat/{number}.jpg' for number in range(50)]
    random.seed(1)
    state = random.getstate()
    first = assign_splits(paths, {'train': 0.8, 'val': 0.2}, seed=0)
    assert random.getstate() == state
    random.seed(2)
    assert assign_splits(paths, {'train': 0.8, 'val': 0.2}, seed=0) == first


@given(sizes=st.lists(st.integers(1, 6), min_size=3, max_size=12), ratios=RATIOS,
       seed=st.integers())
def test_copies_share_a_split_and_no_split_stays_empty(sizes, ratios, seed):
    groups = [[f'cat/{group}_{copy}.jpg' for copy in range(size)]
              for group, size in enumerate(sizes)]
    paths = [path for group in groups for path in group]
    chosen = assign_splits(paths, ratios, seed, [group for group in groups if len(group) > 1])
    assert all(len({chosen[path] for path in group}) == 1 for group in groups)
    assert set(chosen.values()) == {split for split, ratio in ratios.items() if ratio > 0}


@given(seed=st.integers())
def test_the_counts_are_met_where_the_groups_of_copies_allow(seed):
    group = [f'cat/{number}.jpg' for number in range(5)]
    single = [f'cat/{number}.jpg' for number in range(5, 10)]
    chosen = assign_splits(group + single, {'train': 0.6, 'val': 0.4}, seed, [group])
    assert Counter(chosen.values()) == {'train': 6, 'val': 4}


@given(seed=st.integers())
def test_copies_in_two_classes_share_a_split(seed):
    paths = [f'{name}/{number}.jpg' for name in ('cat', 'dog') for number in range(10)]
    groups = [[f'cat/{number}.jpg', f'dog/{number}.jpg'] for number in range(4)]
    chosen = assign_splits(paths, {'train': 0.8, 'val': 0.2}, seed, groups)
    assert all(chosen[first] == chosen[second] for first, second in groups)
    assert Counter(chosen.values()) == {'train': 16, 'val': 4}
