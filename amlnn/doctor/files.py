"""The files of a folder: what `data_preprocess.py --check` finds, and the images that are left."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from amlnn.data.prepare.accept import accept, open_any
from amlnn.data.prepare.archives import is_archive
from amlnn.data.prepare.choices import make_choices
from amlnn.data.prepare.inspect import RawImage, find_copies
from amlnn.data.prepare.manifest import Problem
from amlnn.data.prepare.prepared import is_prepared, open_prepared
from amlnn.errors import DataError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ['Files', 'look_at_files']


@dataclass(frozen=True)
class Files:
    """What is in the folder."""

    root: Path
    prepared: bool
    """`data_preprocess.py` wrote it."""
    classes: list[str]
    images: list[RawImage]
    """Those that training can read."""
    problems: list[Problem]
    damaged: dict[str, str]
    """Path of an image that it cannot read, to its class."""
    copies: list[list[int]]
    """Places in `images` of groups from which training would read the same pixels."""
    near_copies: list[list[int]]
    """Of groups that are nearly the same, saved again or resized."""

    @cached_property
    def labels(self) -> np.ndarray:
        """Int64 [N]: of each image the place of its class in `classes`."""
        numbers = {name: number for number, name in enumerate(self.classes)}
        return np.array([numbers[image.class_name] for image in self.images], np.int64)


def look_at_files(root: Path, console: 'Console') -> Files:
    """Read every image of a folder of class folders, or of a data set that was prepared.

    Args:
        root: The folder, which may be split into parts.
        console: Where progress is shown.

    Raises:
        DataError: it is none of this, or no two of its classes have images.
    """
    if is_archive(root):
        raise DataError(f'`{root}` is an archive', hint='unpack it, and give the folder; or '
                        f'prepare it: python data_preprocess.py {root} DST')
    with _reasons():
        prepared = is_prepared(root)
        # Nothing is divided and nothing refused: what is found is what is asked for.
        choices = make_choices(train_ratio=1, val_ratio=0, on_bad='skip', on_duplicate='keep',
                               on_loss='keep')
        opened = open_prepared(root) if prepared else open_any(root, choices)
        class_of = {file.path: (file.file or file.path).partition('/')[0] for file in opened.files}
        with tempfile.TemporaryDirectory(prefix='amlnn-doctor-') as folder:
            accepted = accept(root, opened, choices, Path(folder), console)
    places = {image.path: place for place, image in enumerate(accepted.images)}
    damaged = {problem.path: class_of[problem.path] for problem in accepted.problems
               if problem.action == 'left out' and problem.path in class_of
               and problem.path not in places}
    return Files(root, prepared, accepted.classes, accepted.images, accepted.problems, damaged,
                 [[places[image.path] for image in group]
                  for group in find_copies(accepted.images)],
                 [[places[path] for path in group] for group in accepted.near])


@contextmanager
def _reasons() -> Iterator[None]:
    """An error of the system becomes one that says what to do."""
    try:
        yield
    except OSError as error:
        where = f'`{error.filename}`: ' if error.filename else ''
        raise DataError(f'{where}{error.strerror or error}',
                        hint='check permissions and free space, then run again') from error
