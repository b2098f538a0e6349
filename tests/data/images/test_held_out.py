"""What a data set of one's own brings to hold images out and to take a subset."""

import numpy as np
import pytest

from amlnn.data.images.held_out import HeldOutDataset, Listing


class Cubes(HeldOutDataset):
    """Six training images of each of two classes, and two others."""

    label_choices = ('own',)

    def __init__(self, data_root, split, holdout=0, subset=None):
        self.check_choices(data_root, split, holdout, 'own')
        super().__init__(data_root, split, [], holdout, subset, 0, 'own', {'classes': ['a', 'b']})

    def read_listing(self, training: bool) -> Listing:
        ids = [f'{"train" if training else "other"}/{name}{number}.png' for name in 'ab'
               for number in range(6 if training else 2)]
        return Listing(ids, ['ab'.index(each[6]) for each in ids], ['a', 'b'])

    def describe_samples(self, listing: Listing, chosen: np.ndarray) -> list[dict]:
        return [{'id': listing.ids[place], 'gt_label': listing.numbers[place]} for place in chosen]


def names(*words, **choices) -> list[str]:
    data = Cubes(*words, **choices)
    return [data.get_data_info(place)['id'] for place in range(len(data))]


def test_the_listing_is_cut_into_parts_that_share_no_image(tmp_path):
    train, val, test = (names(str(tmp_path), part, holdout=2) for part in ('train', 'val', 'test'))
    assert len(val) == 4 and not set(train) & set(val)
    assert sorted(train + val) == sorted(Cubes.read_listing(None, True).ids)
    assert test == Cubes.read_listing(None, False).ids


@pytest.mark.parametrize('holdout', [0, 2])
def test_a_subset_takes_as_many_of_each_class_of_the_listing(tmp_path, holdout):
    kept = names(str(tmp_path), 'train', holdout=holdout, subset=4)
    assert [sum(f'/{name}' in each for each in kept) for name in 'ab'] == [2, 2]
    assert set(kept) <= set(names(str(tmp_path), 'train', holdout=holdout))
