"""Whether lists of images are what they say: every file there, none twice, none in two parts.

A data set with a manifest is compared with it (`amlnn.data.prepare.integrity`), which says the same
and more. Of every other one, whatever kind of list it is read from, its images are looked at here.
"""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from amlnn.data.prepare.manifest import NAME
from amlnn.errors import DataError

__all__ = ['check_apart', 'check_listed']

_HINT = 'correct the list; for a folder of class folders, python data_preprocess.py writes one'


def check_listed(dataset, part: str) -> None:
    """Refuse a part whose list names a file that is not there, or an image twice.

    Wrappers that repeat images on purpose are not asked; the data sets inside of them are.

    Args:
        dataset: A ViewDataset.
        part: 'train', 'val' or 'test'.

    Raises:
        DataError: names the first such image, and how many there are.
    """
    for leaf in dataset.leaves:
        if _has_manifest(leaf):
            continue
        paths = _paths(leaf)
        place = _place(leaf, part)
        first: dict[str, int] = {}
        twice = [path for number, path in enumerate(paths)
                 if first.setdefault(path, number) != number]
        if twice:
            raise DataError(f'{place} has `{twice[0]}` twice{_more(twice)}', hint=_HINT)
        with ThreadPoolExecutor() as pool:
            there = pool.map(os.path.isfile, paths, chunksize=256)
            lost = [path for path, found in zip(paths, there, strict=True) if not found]
        if lost:
            raise DataError(f'{place} has `{lost[0]}`, which is not there{_more(lost)}', hint=_HINT)


def check_apart(datasets: Mapping[str, object]) -> None:
    """Refuse parts that have an image in common, by any path, or through a link.

    Args:
        datasets: A ViewDataset by part.

    Raises:
        DataError: names the first such image, and how many there are.
    """
    if all(_has_manifest(leaf) for dataset in datasets.values()
           for leaf in dataset.leaves):  # type: ignore[attr-defined]  # a ViewDataset
        return
    parts = {part: _files(dataset) for part, dataset in datasets.items()}
    names = list(parts)
    for place, one in enumerate(names):
        for other in names[place + 1:]:
            both = list(islice((path for file, path in parts[other].items() if file in parts[one]),
                               1000))
            if both:
                raise DataError(
                    f'`{both[0]}` is in the {one} part and in the {other} part{_more(both)}: what '
                    'is measured there would be what was learnt by heart',
                    hint='take it out of one of them; python data_preprocess.py divides a folder')


def _paths(dataset) -> list[str]:
    """The files of a data set, in its order; none of one whose images are no files."""
    found = (dataset.get_data_info(index).get('img_path') for index in range(len(dataset)))
    return [str(Path(path).absolute()) for path in found
            if isinstance(path, str) and '://' not in path]


def _files(dataset) -> dict[tuple[int, int], str]:
    """A path of each file of a data set, by device and number of the file on it."""

    def number(path: str) -> tuple[int, int] | None:
        try:
            found = Path(path).stat()
        except OSError:
            return None  # said by `check_listed`, and not here of a part that is only compared with
        return found.st_dev, found.st_ino

    paths = _paths(dataset)
    with ThreadPoolExecutor() as pool:
        numbers = pool.map(number, paths, chunksize=256)
        return {file: path for file, path in zip(numbers, paths, strict=True) if file}


def _has_manifest(leaf) -> bool:
    root = getattr(leaf, 'data_root', None)
    return bool(root) and (Path(root) / NAME).is_file()


def _place(leaf, part: str) -> str:
    listed = getattr(leaf, 'ann_file', None)
    return f'`{listed}`' if listed else f'the {part} data set'


def _more(found: list[str]) -> str:
    return f' (and {len(found) - 1} more)' if len(found) > 1 else ''
