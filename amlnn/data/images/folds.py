"""Cross-validation: a data set whose validation part is one of several folds of its images."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from mmengine.registry import DATASETS

from amlnn.data.prepare.manifest import manifest_hash, read_manifest
from amlnn.errors import DataError
from amlnn.quiet import quiet_imports

with quiet_imports():
    from mmengine.dataset import ConcatDataset

__all__ = ['FoldDataset', 'assign_folds', 'copies']


def copies(paths: Sequence[str]) -> list[int]:
    """A number for the content of each file, the same for copies.

    Only files of one size are read.

    Args:
        paths: Of files. What is no file is a copy of nothing.
    """
    sizes: dict[int, list[int]] = defaultdict(list)
    found = list(range(len(paths)))
    for place, path in enumerate(paths):
        if Path(path).is_file():
            sizes[Path(path).stat().st_size].append(place)
    for places in sizes.values():
        first: dict[bytes, int] = {}
        for place in places if len(places) > 1 else ():
            digest = hashlib.sha256(Path(paths[place]).read_bytes()).digest()
            found[place] = first.setdefault(digest, place)
    return found


def assign_folds(keys: Sequence[str], labels: Sequence[int], groups: Sequence[object],
                 folds: int, seed: int) -> np.ndarray:
    """Give every image its fold: classes in equal shares, and all of a group in one fold.

    The largest groups first, each goes where its classes are missing most (as
    `StratifiedGroupKFold` of scikit-learn does); the order of groups of one size comes from the
    seed and their first key, not from the order of the images.

    Args:
        keys: Of each image, no two the same.
        labels: Of each image.
        groups: Of each image; equal for images that stay together.
        folds: How many.
        seed: Another one divides otherwise.

    Returns:
        int [N].

    Raises:
        DataError: there are fewer groups than folds.

    >>> assign_folds(['a', 'b', 'c', 'd'], [0, 0, 1, 1], [0, 1, 2, 3], 2, seed=0).tolist()
    [1, 0, 1, 0]
    """
    members: dict[object, list[int]] = defaultdict(list)
    for place, group in enumerate(groups):
        members[group].append(place)
    if len(members) < folds:
        raise DataError(f'{len(members)} groups of images cannot be {folds} folds',
                        hint=f'folds = {len(members)}, or fewer')
    named = {min(keys[place] for place in places): places for places in members.values()}

    def order(key: str) -> tuple[int, bytes]:
        return -len(named[key]), hashlib.sha256(f'{seed}\n{key}'.encode()).digest()

    total = Counter(labels)
    counts = [Counter[int]() for _ in range(folds)]
    found = np.zeros(len(keys), dtype=np.int64)
    for key in sorted(named, key=order):
        places = named[key]
        own = Counter(labels[place] for place in places)

        def cost(fold: int, own: Counter[int] = own) -> tuple[float, int, int]:
            # How full its classes are there, then how full it is.
            return (sum(count * counts[fold][label] / total[label]
                        for label, count in own.items()), counts[fold].total(), fold)

        best = min(range(folds), key=cost)
        counts[best].update(own)
        found[places] = best
    return found


@DATASETS.register_module()
class FoldDataset:
    """The images of several data sets, without one fold for training, or that fold alone.

    The same images are in the same fold whatever the pipelines of the data sets are. Copies of an
    image are in one fold, and so are images of one group.

    Args:
        datasets: Of the images that are divided, the training and the validation part of a data
            set, both with the pipeline of `part`.
        folds: How many.
        fold: Which of them is validated on, from 0.
        part: 'train' or 'val'.
        seed: Another one divides the images otherwise.
        group_by: A regular expression on an image's path: what it finds (its first group, if it has
            one) is the same for images that belong together. None takes what data_preprocess.py was
            told with --group-by.

    Raises:
        DataError: there is no such fold, there are too few images, or nobody knows the groups that
            the data set was made with.
    """

    def __init__(self, datasets: list, folds: int, fold: int, part: str, seed: int = 0,
                 group_by: str | None = None):
        if not 0 <= fold < folds:
            raise DataError(f'there is no fold {fold} of {folds}', hint='they count from 0')
        if part not in ('train', 'val'):
            raise DataError(f'`part` is {part!r}', hint="'train' or 'val'")
        self.dataset = ConcatDataset([DATASETS.build(each) if isinstance(each, dict) else each
                                      for each in datasets])
        self.dataset.full_init()
        infos = [self.dataset.get_data_info(place) for place in range(len(self.dataset))]
        paths = [str(info.get('img_path', info.get('id', place)))
                 for place, info in enumerate(infos)]
        labels = [int(info['gt_label']) for info in infos]
        groups = copies(paths)
        group_by = group_by or self._known_groups(paths)
        if group_by is not None:
            groups = _joined(groups, [_found(group_by, path, place)
                                      for place, path in enumerate(paths)])
        given = assign_folds(self._keys(paths), labels, groups, folds, seed)
        self.indices = np.flatnonzero((given == fold) == (part == 'val'))
        self.metainfo = self.dataset.metainfo

    def _known_groups(self, paths: list[str]) -> str | None:
        for each in self.dataset.datasets:
            root = getattr(each, 'data_root', None)
            if not root or manifest_hash(root) is None:
                continue
            pattern = read_manifest(root).group_by
            if pattern is None:
                return None
            with suppress(re.error):
                if any(re.search(pattern, path) for path in paths):
                    return pattern
            raise DataError(
                f'`{root}` was made with --group-by `{pattern}`, and no path says the groups',
                hint='train_dataloader.dataset.group_by=<a regular expression>, in val too')
        return None

    def _keys(self, paths: list[str]) -> list[str]:
        roots = {str(getattr(each, 'data_root', '')) for each in self.dataset.datasets}
        root = max(roots, key=len)
        return [path.removeprefix(root) for path in paths]

    def full_init(self) -> None:
        """Nothing is left to do; MMEngine calls it."""

    def get_data_info(self, index: int) -> dict:
        """What is known of an image before the pipeline."""
        return self.dataset.get_data_info(int(self.indices[index]))

    def get_cat_ids(self, index: int) -> list[int]:
        """Its class number."""
        return [int(self.get_data_info(index)['gt_label'])]

    def get_gt_labels(self) -> np.ndarray:
        """The class numbers of all images."""
        return np.array([self.get_cat_ids(place)[0] for place in range(len(self))])

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int):
        return self.dataset[int(self.indices[index])]


def _found(pattern: str, path: str, place: int) -> object:
    match = re.search(pattern, path)
    if match is None:
        return place
    return match[1] if match.re.groups else match[0]


def _joined(one: Sequence[object], other: Sequence[object]) -> list[int]:
    """Groups such that what is together in either is together."""
    leader = list(range(len(one)))

    def find(place: int) -> int:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    for groups in (one, other):
        first: dict[object, int] = {}
        for place, group in enumerate(groups):
            leader[find(place)] = find(first.setdefault(group, place))
    return [find(place) for place in range(len(one))]
