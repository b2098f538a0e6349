"""CIFAR-100 in the python layout in which it is given out: three pickles of Python 2.

::

    data_root/meta     `fine_label_names`, `coarse_label_names`
    data_root/train    `data` uint8 [50000, 3072] (all red, all green, all blue values of an image,
                       row by row), `fine_labels`, `coarse_labels`, `filenames`
    data_root/test     the same for 10,000 images

Reading a pickle can run anything. Here it cannot: whatever a pickle calls for is refused by name,
but for the pieces of a numpy array, and those are stand-ins that only keep what they are given.
They are not numpy's own pieces, for a pickle can do harm with these alone: make an array of any
size, or of memory that holds something else; describe a type whose fields lie outside its bytes, or
whose bytes are object pointers, which ends the process; encode text in a codec that takes hours.

What no reader of Python's own pickles prevents stays possible: a file written to that end can take
memory, time, or the process with it. It cannot run anything.
"""

import pickle
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.registry import DATASETS

from amlnn.data.cache.content import hash_of_files
from amlnn.data.images.held_out import HeldOutDataset, Listing
from amlnn.errors import DataError

__all__ = ['CIFAR100Python', 'PickledArray', 'read_pickle']

_GET = 'python data_preprocess.py --download cifar100'
_AGAIN = f'the file is damaged: {_GET}'
_FILES = ('meta', 'train', 'test')
_SIDE = 32


@DATASETS.register_module()
class CIFAR100Python(HeldOutDataset):
    """CIFAR-100: 32-pixel images of 100 classes in 20 superclasses, kept in memory once.

    A pipeline begins without loading: it is given BGR pixels, as every other image data set here
    gives them, so that `data_preprocessor.to_rgb=True` is right for it too.

    Args:
        data_root: The folder, as above.
        split: 'train', 'val', or with a holdout 'test'.
        pipeline: Transforms, as MMPretrain names them.
        holdout: Training images of each fine class that are 'val' instead; the same in every part.
        subset: Images that the part keeps, the same number of each fine class; None keeps all.
        seed: Another seed holds out, and keeps, other images; the same in every part.
        labels: 'fine' for the 100 classes, 'coarse' for the 20.

    Raises:
        DataError: a file is missing, damaged or not a CIFAR file; or there is no such part.
    """

    classes_file = 'meta'
    label_choices = ('fine', 'coarse')

    def __init__(self, data_root: str, split: str = 'train', pipeline: list = (), holdout: int = 0,
                 subset: int | None = None, seed: int = 0, labels: str = 'fine'):
        self.check_choices(data_root, split, holdout, labels)
        fine, coarse = _read_meta(Path(data_root) / 'meta')
        self._names = fine, coarse
        self._coarse_labels: list[int] = []
        self._pixels = np.empty(0, dtype=np.uint8)
        metainfo = {'classes': fine if labels == 'fine' else coarse, 'superclasses': coarse}
        super().__init__(data_root, split, pipeline, holdout, subset, seed, labels, metainfo)

    @classmethod
    def find_classes(cls, data_root: str, labels: str = 'fine', **choices) -> list[str] | None:
        """Names of the fine, or of the coarse classes."""
        path = Path(data_root) / cls.classes_file
        return _read_meta(path)[labels == 'coarse'] if path.is_file() else None

    @classmethod
    def content_hash(cls, data_root: str) -> str | None:
        """Of the three files."""
        return hash_of_files(data_root, _FILES)

    @classmethod
    def how_to_get(cls, data_root: str) -> str:
        """The command that downloads it."""
        return _GET

    def read_listing(self, training: bool) -> Listing:
        """Read the training file, or that of the evaluation images."""
        fine_names, coarse_names = self._names
        path = Path(self.data_root) / ('train' if training else 'test')
        values = read_pickle(path)
        self._pixels = _pixels(path, values)
        count = len(self._pixels)
        fine = _labels(path, values, 'fine_labels', len(fine_names), count)
        self._coarse_labels = _labels(path, values, 'coarse_labels', len(coarse_names), count)
        superclass_of = _superclasses(path, fine, self._coarse_labels, fine_names, coarse_names)
        # A superclass that is a class itself is its own.
        self._metainfo['superclass_of'] = superclass_of if self.labels == 'fine' \
            else list(range(len(coarse_names)))
        return Listing(_ids(path, values, count), fine, fine_names)

    def describe_samples(self, listing: Listing, chosen: np.ndarray) -> list[dict]:
        """Id and label of each chosen image; its pixels are added when it is asked for."""
        if len(chosen) < len(self._pixels):
            self._pixels = self._pixels[chosen]
        numbers = listing.numbers if self.labels == 'fine' else self._coarse_labels
        return [{'id': listing.ids[place], 'gt_label': int(numbers[place])} for place in chosen]

    def get_data_info(self, idx: int) -> dict:
        """Id, label and a copy of the pixels (`img`, uint8 [32, 32, BGR])."""
        info = super().get_data_info(idx)
        info['img'] = self._pixels[info['sample_idx']].copy()
        info['img_shape'] = info['ori_shape'] = (_SIDE, _SIDE)
        return info


# -- reading pickles


def read_pickle(path: Path | str) -> dict:
    """Read a pickled dict of strings, numbers, lists and byte arrays, and nothing else.

    Pickles of Python 2 and 3 and of any numpy are read. Arrays come as `PickledArray`.

    Raises:
        DataError: it is not there, is damaged, or calls for anything that such a file has no use
            for; nothing of that is imported or run.
    """
    try:
        with open(path, 'rb') as file:
            values = _Unpickler(file, encoding='bytes').load()
    except FileNotFoundError:
        raise DataError(f'`{path}` is not there', hint=_GET) from None
    except _ForbiddenError as error:
        raise DataError(f'`{path}` calls for `{error}`, which no CIFAR file has a use for; nothing '
                        'of it was run', hint=f'do not trust this file: {_GET}') from None
    except Exception as error:  # a pickle can be wrong in as many ways as there are exceptions
        raise DataError(f'`{path}` cannot be read as a pickle: {str(error) or "it ends too early"}',
                        hint=_AGAIN) from None
    if not isinstance(values, dict):
        raise DataError(f'`{path}` holds a {type(values).__name__}, not a dict', hint=_AGAIN)
    return {_text(key): value for key, value in values.items()}


class _ForbiddenError(Exception):
    """A pickle names what it must not."""


class PickledArray:
    """A numpy array as a pickle describes it: sizes, type name, order and bytes."""

    shape: tuple = ()
    kind: str = ''
    columns_first: bool = False
    content: bytes = b''

    def __setstate__(self, state: tuple):
        _, self.shape, kind, self.columns_first, self.content = state
        self.kind = kind.name

    def to_numpy(self) -> np.ndarray:
        """The array, read-only.

        Raises:
            ValueError: it is not one of plain integers, or its bytes do not fit its sizes.
        """
        if not re.fullmatch('[iu][1248]', self.kind):
            raise ValueError(f'an array of type {self.kind!r}')
        flat = np.frombuffer(self.content, dtype=np.dtype(f'<{self.kind}'))
        return flat.reshape([int(size) for size in self.shape],
                            order='F' if self.columns_first else 'C')


class _PickledType:
    def __init__(self, name, *_):
        self.name = _text(name)

    def __setstate__(self, state):
        if _text(state[1]) == '>':
            raise ValueError('numbers with their first byte first')


def _new_array(*_) -> PickledArray:
    return PickledArray()


def _array_from_buffer(content, kind, shape, order) -> PickledArray:
    if not isinstance(content, bytes | bytearray):  # bytes(10**9) would make a billion zeros
        raise ValueError('an array of no bytes')
    array = PickledArray()
    array.__setstate__((1, shape, kind, _text(order) == 'F', bytes(content)))
    return array


def _bytes_of_text(text: str, encoding: str) -> bytes:
    if _text(encoding) not in ('latin1', 'latin-1'):
        raise ValueError(f'text in {encoding!r}')
    return _text(text).encode('latin1')


# Where Python 2 and 3 and numpy 1 and 2 say that the pieces of an array are.
_STAND_INS = {
    ('numpy', 'ndarray'): PickledArray,
    ('numpy', 'dtype'): _PickledType,
    ('numpy.core.multiarray', '_reconstruct'): _new_array,
    ('numpy._core.multiarray', '_reconstruct'): _new_array,
    ('numpy.core.numeric', '_frombuffer'): _array_from_buffer,
    ('numpy._core.numeric', '_frombuffer'): _array_from_buffer,
    ('_codecs', 'encode'): _bytes_of_text,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        stand_in = _STAND_INS.get((module, name))
        if stand_in is None:
            raise _ForbiddenError(f'{module}.{name}')
        # A pickle can set attributes of a function it is given, so it gets one of its own.
        return stand_in if isinstance(stand_in, type) else lambda *given: stand_in(*given)


# -- what the files must hold


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode('utf-8', 'replace')
    if not isinstance(value, str):
        raise ValueError(f'{value!r:.40} where there should be text')
    return value


def _value(path: Path, values: dict, key: str) -> Any:
    if key not in values:
        raise DataError(f'`{path}` has no `{key}`, only {", ".join(sorted(values)) or "nothing"}',
                        hint=_AGAIN)
    return values[key]


def _read_meta(path: Path) -> tuple[list[str], list[str]]:
    values = read_pickle(path)
    found = []
    for key in ('fine_label_names', 'coarse_label_names'):
        names = _value(path, values, key)
        try:
            texts = [_text(name) for name in names]
        except (TypeError, ValueError):
            raise DataError(f'`{path}`: `{key}` is not a list of names', hint=_AGAIN) from None
        if not texts or len(set(texts)) < len(texts):
            raise DataError(f'`{path}`: `{key}` is empty or names a class twice', hint=_AGAIN)
        found.append(texts)
    return found[0], found[1]


def _pixels(path: Path, values: dict) -> np.ndarray:
    """uint8 [N, 32, 32, BGR] from the file's red, green and blue planes."""
    data = _value(path, values, 'data')
    each = 3 * _SIDE * _SIDE
    try:
        if isinstance(data, PickledArray):
            planes = data.to_numpy()
        else:
            planes = np.frombuffer(data, dtype=np.uint8)
            planes = planes.reshape(-1, each)
        if planes.dtype != np.uint8 or planes.ndim != 2 or planes.shape[1] != each:
            raise ValueError(f'{planes.dtype} {list(planes.shape)}')
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError(f'`{path}`: `data` is not uint8 [N, {each}]: {error}',
                        hint=_AGAIN) from None
    if not len(planes):
        raise DataError(f'`{path}` holds no image', hint=_AGAIN)
    planes_NCHW = planes.reshape(-1, 3, _SIDE, _SIDE)
    return np.ascontiguousarray(planes_NCHW[:, ::-1].transpose(0, 2, 3, 1))


def _labels(path: Path, values: dict, key: str, classes: int, images: int) -> list[int]:
    labels = _value(path, values, key)
    try:
        labels = labels.to_numpy().tolist() if isinstance(labels, PickledArray) else list(labels)
        wrong = [label for label in labels if type(label) is not int or not 0 <= label < classes]
    except (TypeError, ValueError) as error:
        raise DataError(f'`{path}`: `{key}` is not a list of numbers: {error}',
                        hint=_AGAIN) from None
    if len(labels) != images:
        raise DataError(f'`{path}` has {images:,} images and {len(labels):,} `{key}`', hint=_AGAIN)
    if wrong:
        raise DataError(f'`{path}`: `{key}` has {wrong[0]!r:.40}, and meta names {classes} classes',
                        hint=_AGAIN)
    return labels


def _ids(path: Path, values: dict, images: int) -> list[str]:
    """`train/<filename>`; a name that comes again gets its number, so that no two are the same."""
    names = _value(path, values, 'filenames')
    try:
        texts = [f'{path.name}/{_text(name)}' for name in names]
    except (TypeError, ValueError):
        raise DataError(f'`{path}`: `filenames` is not a list of names', hint=_AGAIN) from None
    if len(texts) != images:
        raise DataError(f'`{path}` has {images:,} images and {len(texts):,} `filenames`',
                        hint=_AGAIN)
    seen: Counter = Counter()
    for place, text in enumerate(texts):
        seen[text] += 1
        if seen[text] > 1:
            texts[place] = f'{text}#{seen[text]}'
    return texts


def _superclasses(path: Path, fine: list[int], coarse: list[int], fine_names: list[str],
                  coarse_names: list[str]) -> list[int]:
    """The coarse class of each fine class, as the images of the file have them."""
    found = dict(zip(fine, coarse, strict=True))
    for number, parent in set(zip(fine, coarse, strict=True)):
        if found[number] != parent:
            raise DataError(
                f'`{path}` puts `{fine_names[number]}` into `{coarse_names[parent]}` and into '
                f'`{coarse_names[found[number]]}`', hint=_AGAIN)
    missing = [name for number, name in enumerate(fine_names) if number not in found]
    if missing:
        raise DataError(f'`{path}` has no image of class `{missing[0]}`', hint=_AGAIN)
    return [found[number] for number in range(len(fine_names))]
