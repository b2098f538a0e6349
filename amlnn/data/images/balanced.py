"""Which images of each class are held out, and which a smaller data set keeps.

Both take the same number from every class, and are a function of the images' names and the seed
alone: neither the order of files on the disk nor the machine matters. Another seed chooses others.
A smaller subset is part of a larger one of the same seed.
"""

from collections.abc import Sequence

import numpy as np

from amlnn.data.prepare.splitting import rank
from amlnn.errors import DataError

__all__ = ['balanced_subset', 'held_out']


def held_out(ids: Sequence[str], labels: Sequence[int], classes: Sequence[str], count: int,
             seed: int) -> np.ndarray:
    """Choose `count` images of each class that training does not see.

    Args:
        ids: Names of the images, no two the same.
        labels: Their class numbers.
        classes: Names of the classes, for errors.
        count: Images a class.
        seed: Another seed holds out others.

    Returns:
        bool [N], True for those held out.

    Raises:
        DataError: a class would have no training image left.

    >>> held_out(['a', 'b', 'c', 'd'], [0, 0, 1, 1], ['x', 'y'], count=1, seed=0).sum()
    np.int64(2)
    """
    chosen = np.zeros(len(ids), dtype=bool)
    for number, members in enumerate(_ordered(ids, labels, len(classes), seed)):
        if len(members) <= count:
            raise DataError(
                f'holdout={count} leaves nothing to train on of class `{classes[number]}`, which '
                f'has {len(members)} training images',
                hint=f'a holdout below {len(members)}, the same in every part')
        chosen[members[:count]] = True
    return chosen


def balanced_subset(ids: Sequence[str], labels: Sequence[int], classes: Sequence[str], total: int,
                    seed: int) -> np.ndarray:
    """Choose `total` images, the same number of each class.

    Args:
        ids: Names of the images, no two the same.
        labels: Their class numbers.
        classes: Names of the classes.
        total: Images, a multiple of the number of classes.
        seed: Another seed takes others.

    Returns:
        int [total], places of the chosen in `ids`, rising.

    Raises:
        DataError: the classes cannot share `total` equally, or one has too few images.

    >>> balanced_subset(['a', 'b', 'c', 'd'], [0, 0, 1, 1], ['x', 'y'], total=4, seed=0).tolist()
    [0, 1, 2, 3]
    """
    each, left_over = divmod(total, len(classes))
    if left_over or each < 1:
        nearest = max(1, round(total / len(classes))) * len(classes)
        raise DataError(f'subset={total} cannot be shared equally by {len(classes)} classes',
                        hint=f'a multiple of {len(classes)}, such as subset={nearest}')
    ordered = _ordered(ids, labels, len(classes), seed)
    for number, members in enumerate(ordered):
        if len(members) < each:
            fewest = min(map(len, ordered))
            raise DataError(
                f'subset={total} takes {each} images of each class, and class `{classes[number]}` '
                f'has {len(members)}', hint=f'at most subset={fewest * len(classes)}' if fewest
                else 'leave subset out: a class has no image here')
    return np.sort(np.concatenate([members[:each] for members in ordered]))


def _ordered(ids: Sequence[str], labels: Sequence[int], count: int, seed: int) -> list[np.ndarray]:
    """Places of each class's images, in the order in which they are taken."""
    by_class: list[list[int]] = [[] for _ in range(count)]
    for place, label in enumerate(labels):
        by_class[label].append(place)
    return [np.array(sorted(members, key=lambda place: rank(seed, ids[place])), dtype=np.int64)
            for members in by_class]
