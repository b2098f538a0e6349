"""Tiny-ImageNet in the layout in which it is given out.

::

    data_root/wnids.txt                          the 200 classes, a WordNet number a line
    data_root/words.txt                          `<wnid><tab><word>, <word>, ...` a line
    data_root/train/<wnid>/images/<file>         500 images of 64 pixels a class
    data_root/val/images/<file>                  10,000 images of all classes together
    data_root/val/val_annotations.txt            `<file><tab><wnid><tab>...` a line: their labels
    data_root/test/images/                       without labels, not used

The folder of a validation image says nothing about its class: only `val_annotations.txt` does.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from mmengine.registry import DATASETS

from amlnn.data.cache.content import hash_of_files
from amlnn.data.images.held_out import HeldOutDataset, Listing
from amlnn.data.images.imagenet_classes import imagenet_classes, imagenet_wnids
from amlnn.errors import DataError
from amlnn.foreign_texts import read_lines

__all__ = ['TinyImageNet']

_GET = 'python data_preprocess.py --download tiny-imagenet'
_AGAIN = f'the files are damaged: {_GET}'
_ENDINGS = ('.jpeg', '.jpg', '.png')
_LABELS = 'val/val_annotations.txt'


@DATASETS.register_module()
class TinyImageNet(HeldOutDataset):
    """Tiny-ImageNet: 64-pixel images of 200 of ImageNet's classes, or of those in `wnids.txt`.

    Classes are numbered in the order of their WordNet numbers.

    Args:
        data_root: The folder, as above.
        split: 'train', 'val', or with a holdout 'test'.
        pipeline: Transforms, as MMPretrain names them.
        holdout: Training images of each class that are 'val' instead; the same in every part.
        subset: Images that the part keeps, the same number of each class; None keeps all.
        seed: Another seed holds out, and keeps, other images; the same in every part.
        labels: 'own' numbers the classes of `wnids.txt` from 0; 'imagenet-1k' gives them their
            numbers among the 1000 of ImageNet, for models that were trained on those.

    Raises:
        DataError: a file is missing or damaged; the place is named. Or there is no such part.
    """

    classes_file = 'wnids.txt'
    label_choices = ('own', 'imagenet-1k')

    def __init__(self, data_root: str, split: str = 'train', pipeline: list = (), holdout: int = 0,
                 subset: int | None = None, seed: int = 0, labels: str = 'own'):
        self.check_choices(data_root, split, holdout, labels)
        self._wnids = _read_wnids(data_root)
        self._names = _read_names(data_root, self._wnids)
        metainfo = {'classes': self._names}
        self._label_of = np.arange(len(self._wnids))
        if labels == 'imagenet-1k':
            self._label_of = np.array(_imagenet_numbers(data_root, self._wnids))
            metainfo = {'classes': imagenet_classes(), 'present': sorted(self._label_of.tolist())}
        super().__init__(data_root, split, pipeline, holdout, subset, seed, labels, metainfo)

    @classmethod
    def find_classes(cls, data_root: str, labels: str = 'own', **choices) -> list[str] | None:
        """`<wnid> <first word>` of each class, such as 'n01443537 goldfish'."""
        if not (Path(data_root) / cls.classes_file).is_file():
            return None
        wnids = _read_wnids(data_root)
        if labels == 'imagenet-1k':
            _imagenet_numbers(data_root, wnids)
            return imagenet_classes()
        return _read_names(data_root, wnids)

    @classmethod
    def content_hash(cls, data_root: str) -> str | None:
        """Of the labelled images, their labels and their names."""
        wnids = _read_wnids(data_root)
        files = ['wnids.txt', 'words.txt', _LABELS]
        folders = [f'train/{wnid}/images' for wnid in wnids] + ['val/images']
        return hash_of_files(data_root, [
            *files, *(f'{folder}/{name}' for folder in folders
                      for name in _images(Path(data_root) / folder))])

    @classmethod
    def how_to_get(cls, data_root: str) -> str:
        """The command that downloads it."""
        return _GET

    def read_listing(self, training: bool) -> Listing:
        """List the images in the class folders, or those of `val_annotations.txt`."""
        root = Path(self.data_root)
        pairs = list(_training_images(root, self._wnids) if training
                     else _evaluation_images(root, self._wnids))
        return Listing([name for name, _ in pairs], [number for _, number in pairs],
                       self._names)

    def describe_samples(self, listing: Listing, chosen: np.ndarray) -> list[dict]:
        """Path and label of each chosen image."""
        return [{'img_path': f'{self.data_root}/{listing.ids[place]}',
                 'gt_label': int(self._label_of[listing.numbers[place]])} for place in chosen]


def _lines(path: Path) -> list[str]:
    if not path.exists():
        raise DataError(f'`{path}` is not there', hint=_GET)
    return read_lines(path, _AGAIN)


def _read_wnids(data_root: Path | str) -> list[str]:
    path = Path(data_root) / 'wnids.txt'
    seen: dict[str, int] = {}
    for number, line in enumerate(_lines(path), 1):
        wnid = line.strip()
        if not wnid:
            continue
        if not (wnid[:1] == 'n' and wnid[1:].isascii() and wnid[1:].isdigit()):
            raise DataError(f'{path}:{number}: `{wnid}` is not a WordNet number such as n01443537',
                            hint=_AGAIN)
        if wnid in seen:
            raise DataError(f'{path}:{number}: `{wnid}` is in line {seen[wnid]} already',
                            hint=_AGAIN)
        seen[wnid] = number
    if not seen:
        raise DataError(f'`{path}` names no class', hint=_AGAIN)
    return sorted(seen)


def _read_names(data_root: Path | str, wnids: list[str]) -> list[str]:
    path = Path(data_root) / 'words.txt'
    words = dict.fromkeys(wnids, '')
    for line in _lines(path):  # of all WordNet where nobody shortened it
        wnid, _, text = line.partition('\t')
        if wnid in words:
            words[wnid] = text.partition(',')[0].strip()
    missing = [wnid for wnid, word in words.items() if not word]
    if missing:
        raise DataError(f'`{path}` has no word for `{missing[0]}`, a class of wnids.txt'
                        + (f' (nor for {len(missing) - 1} more)' if missing[1:] else ''),
                        hint=_AGAIN)
    return [f'{wnid} {words[wnid]}' for wnid in wnids]


def _imagenet_numbers(data_root: Path | str, wnids: list[str]) -> list[int]:
    numbers = {wnid: number for number, wnid in enumerate(imagenet_wnids())}
    unknown = [wnid for wnid in wnids if wnid not in numbers]
    if unknown:
        raise DataError(f'`{unknown[0]}` of {Path(data_root) / "wnids.txt"} is not one of the 1000 '
                        'classes of ImageNet', hint="labels='own' numbers the classes from 0")
    return [numbers[wnid] for wnid in wnids]


def _training_images(root: Path, wnids: list[str]) -> Iterator[tuple[str, int]]:
    folder = root / 'train'
    try:
        found = {entry.name for entry in os.scandir(folder)
                 if entry.is_dir() and not entry.name.startswith('.')}
    except OSError as error:
        raise DataError(f'`{folder}` cannot be read: {error.strerror}', hint=_GET) from None
    if unknown := sorted(found - set(wnids)):
        raise DataError(f'`{folder / unknown[0]}` is not a class of wnids.txt', hint=_AGAIN)
    for number, wnid in enumerate(wnids):
        images = _images(folder / wnid / 'images')
        if not images:
            raise DataError(f'class `{wnid}` has no image in `{folder / wnid / "images"}`',
                            hint=_AGAIN)
        for name in images:
            yield f'train/{wnid}/images/{name}', number


def _evaluation_images(root: Path, wnids: list[str]) -> Iterator[tuple[str, int]]:
    path, folder = root / _LABELS, root / 'val/images'
    numbers = {wnid: number for number, wnid in enumerate(wnids)}
    there = set(_images(folder))
    seen: dict[str, int] = {}
    for line_number, line in enumerate(_lines(path), 1):
        place = f'{path}:{line_number}'
        if not line.strip():
            continue
        name, _, rest = line.partition('\t')
        wnid = rest.partition('\t')[0].strip()
        if not name or not wnid:
            raise DataError(f'{place}: `{line[:80]}` is not `<file><tab><wnid><tab>...`',
                            hint=_AGAIN)
        if wnid not in numbers:
            raise DataError(f'{place}: `{wnid}`, the class of {name}, is not in wnids.txt',
                            hint=_AGAIN)
        if name in seen:
            raise DataError(f'{place}: `{name}` is in line {seen[name]} already', hint=_AGAIN)
        if name not in there:
            raise DataError(f'{place}: `{folder / name}` is not there', hint=_AGAIN)
        seen[name] = line_number
        yield f'val/images/{name}', numbers[wnid]
    if unlabelled := sorted(there - set(seen)):
        more = f' (nor have {len(unlabelled) - 1} more)' if unlabelled[1:] else ''
        raise DataError(f'`{folder / unlabelled[0]}` has no line in {path}{more}', hint=_AGAIN)
    if not seen:
        raise DataError(f'`{path}` names no image', hint=_AGAIN)


def _images(folder: Path) -> list[str]:
    """Names of the image files in a folder, sorted; none where there is no such folder."""
    try:
        return sorted(entry.name for entry in os.scandir(folder)
                      if entry.name.lower().endswith(_ENDINGS) and not entry.name.startswith('.'))
    except OSError:
        return []
