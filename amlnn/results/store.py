"""Run folders found on the disk, read through the schema in `amlnn/records.py`."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np

from amlnn.config.resolved import read_resolved
from amlnn.errors import AmlnnError, DataError
from amlnn.records import RunRecord, Split, TestRecord, read_run, read_test
from amlnn.results.arrays import HINT, read_arrays
from amlnn.results.components import SeriesComponents, read_components
from amlnn.results.forecasts import Forecasts, read_forecasts
from amlnn.run_folder import start_order

__all__ = ['Predictions', 'StoredRun', 'find_runs', 'read_predictions']

# N images, K classes

_DEEPEST = 4  # work_dirs/<study>/<config name>/<run>, and one level to spare


@dataclass(frozen=True)
class Predictions:
    """What `predictions_<split>.npz` of a classifier holds, checked."""

    ids: np.ndarray
    """[N] str: image paths relative to the data root."""
    labels: np.ndarray
    """[N] int64."""
    probs: np.ndarray
    """[N, K] float32."""
    classes: list[str]

    @property
    def predicted(self) -> np.ndarray:
        """[N] int64: the most probable class; of equals the first."""
        places: np.ndarray = self.probs.argmax(axis=1)
        return places

    @property
    def correct(self) -> np.ndarray:
        """[N] bool."""
        same: np.ndarray = self.predicted == self.labels
        return same


@dataclass
class StoredRun:
    """One run folder: its records, and its predictions when somebody asks for them."""

    folder: Path
    record: RunRecord
    tests: dict[str, TestRecord] = field(default_factory=dict)
    """By split."""
    _predictions: dict[str, Predictions] = field(default_factory=dict, repr=False)
    _forecasts: dict[str, Forecasts] = field(default_factory=dict, repr=False)

    @cached_property
    def config(self) -> dict[str, Any] | None:
        """The resolved config; None if it cannot be read."""
        try:
            return read_resolved((self.folder / 'config.py').read_text(encoding='utf-8'))
        except (OSError, ValueError):
            return None

    @property
    def name(self) -> str:
        """Config name and folder name: what a reader needs to find the run again."""
        return f'{self.record.config_name}/{self.folder.name}'

    def has_predictions(self, split: str) -> bool:
        """Whether the run stored predictions for `split`."""
        return self._predictions_path(split).is_file()

    def forecasts(self, split: str) -> Forecasts:
        """Read `predictions_<split>.npz` of a forecaster once; errors as those of `predictions`."""
        if split not in self._forecasts:
            self._forecasts[split] = read_forecasts(self._predictions_path(split))
        return self._forecasts[split]

    def components(self) -> SeriesComponents | None:
        """Read `components.npz`; None if there is none, as for a series that is not generated.

        Raises:
            DataError: it is truncated, or does not hold what it should.
        """
        path = self.folder / 'components.npz'
        return read_components(path) if path.is_file() else None

    def predictions(self, split: str) -> Predictions:
        """Read `predictions_<split>.npz` of a classifier once.

        Raises:
            DataError: there is none, it is truncated, or it does not hold what it should.
        """
        if split not in self._predictions:
            self._predictions[split] = read_predictions(self._predictions_path(split))
        return self._predictions[split]

    def _predictions_path(self, split: str) -> Path:
        return self.folder / f'predictions_{split}.npz'


def find_runs(paths: Sequence[Path | str],
              warn: Callable[[str], None] | None = None) -> list[StoredRun]:
    """Read every run at `paths`, each run once, in the order given; within a folder by start.

    Args:
        paths: Each a run folder, its `run.json`, a `latest` link, a folder of runs
            (`work_dirs/<config name>`) or a folder of those (`work_dirs`).
        warn: Called with one line for each damaged run that is skipped; by default the line goes
            to stderr.

    Raises:
        DataError: a path does not exist or holds no run, or every run was damaged.

    >>> made = tiny_run(seed=0), tiny_run(seed=1)
    >>> [run.name for run in find_runs(['work_dirs'])]
    ['tiny/run-0', 'tiny/run-1']
    """
    warn = warn or _warn_on_stderr
    if not paths:
        raise DataError('no run was given',
                        hint='give a run folder, such as work_dirs/<config name>/latest')
    runs: dict[Path, StoredRun] = {}
    damages: dict[Path, DataError] = {}
    for path in map(Path, paths):
        here = []
        for folder in _run_folders(path):
            if folder in runs or folder in damages:
                continue
            try:
                here.append(_read(folder, warn))
            except DataError as error:
                damages[folder] = error
        here.sort(key=lambda run: (run.record.config_name,
                                  start_order(run.folder.name, run.record.started)))
        runs.update({run.folder: run for run in here})
    if not runs:
        first = next(iter(damages.values()))
        if len(damages) == 1:
            raise first
        raise DataError(f'none of the {len(damages)} runs can be read; the first: {first.message}',
                        hint=first.hint)
    for damage in damages.values():
        warn(f'warning: skipped a damaged run: {damage.message}')
    return list(runs.values())


def read_predictions(path: Path | str) -> Predictions:
    """Read and check the predictions of a classifier.

    Raises:
        DataError: there are none, the file is truncated, or an array is missing, of the wrong shape
            or type, or not finite.

    >>> predictions = read_predictions(tiny_run().folder / 'predictions_val.npz')
    >>> predictions.classes, predictions.correct.tolist()
    (['cat', 'dog'], [True, False, True, True])
    """
    arrays = read_arrays(path, ('id', 'label', 'prob', 'classes'))
    problem = _problem(arrays)
    if problem:
        raise DataError(f'`{path}`: {problem}', hint=HINT)
    return Predictions(arrays['id'], arrays['label'].astype(np.int64),
                       arrays['prob'].astype(np.float32), arrays['classes'].tolist())


def _problem(arrays: dict[str, np.ndarray]) -> str | None:
    ids, labels, probs, classes = (arrays[name] for name in ('id', 'label', 'prob', 'classes'))
    if ids.dtype.kind != 'U' or classes.dtype.kind != 'U':
        return f'id and classes must be strings, not {ids.dtype} and {classes.dtype}'
    if labels.dtype.kind not in 'iu' or probs.dtype.kind != 'f':
        return (f'label must be whole numbers and prob floats, not {labels.dtype} and '
                f'{probs.dtype}')
    shape = (len(ids) if ids.ndim else 0, len(classes) if classes.ndim else 0)
    if not (ids.ndim == 1 and classes.ndim == 1 and labels.shape == shape[:1]
            and probs.shape == shape):
        return (f'the shapes do not fit: id {ids.shape}, label {labels.shape}, prob {probs.shape}, '
                f'classes {classes.shape}; want [N], [N], [N, K], [K]')
    if 0 in shape:
        return 'it holds no prediction'
    if labels.min() < 0 or labels.max() >= shape[1]:
        return f'labels from {labels.min()} to {labels.max()} do not fit {shape[1]} classes'
    if not np.isfinite(probs).all():
        bad = int((~np.isfinite(probs)).any(axis=1).sum())
        return f'the probabilities of {bad} of {shape[0]} images are not finite'
    return None


def _read(folder: Path, warn: Callable[[str], None]) -> StoredRun:
    try:
        record = read_run(folder)
    except AmlnnError:
        raise
    except (TypeError, AttributeError, ValueError) as error:  # valid JSON of another shape
        raise DataError(f'`{folder / "run.json"}` is not a run record: {error}',
                        hint='the file was not written by amlnn, or was changed since') from None
    tests = {}
    for split in get_args(Split):
        path = folder / f'test_{split}.json'
        if not path.exists():
            continue
        try:
            tests[split] = read_test(path)
        except (DataError, TypeError, AttributeError, ValueError) as error:
            warn(f'warning: ignored a damaged test result, `{path}`: {error}')
    return StoredRun(folder, record, tests)


def _run_folders(path: Path) -> list[Path]:
    """The run folders at `path`, resolved, in a fixed order."""
    if path.is_symlink() and not path.exists():
        raise DataError(f'`{path}` points to `{path.readlink()}`, which is gone',
                        hint=f'give one of the runs in {path.parent}')
    if not path.exists():
        raise DataError(f'no run at `{path}`', hint=_nearest(path))
    if path.is_file():
        if path.name != 'run.json':
            raise DataError(f'`{path}` is a file, not a run folder',
                            hint='give the folder that holds run.json')
        path = path.parent
    folders = list(_walk(path.resolve(), _DEEPEST))
    if not folders:
        raise DataError(f'no run in the folder `{path}`',
                        hint='a run folder holds run.json: work_dirs/<config name>/<time>-<hash>')
    return folders


def _walk(folder: Path, deepest: int) -> Iterator[Path]:
    # A folder with a config but no record is a run that died early: it is named, not passed over.
    if (folder / 'run.json').exists() or (folder / 'config.py').exists():
        yield folder
        return
    if deepest == 0:
        return
    for child in sorted(folder.iterdir()):
        # `latest` is a link to a run that is found anyway.
        if child.is_dir() and not child.is_symlink() and not child.name.startswith('.'):
            yield from _walk(child, deepest - 1)


def _nearest(path: Path) -> str:
    for parent in (path.parent, Path('work_dirs')):
        if parent.is_dir():
            names = [child.name for child in parent.iterdir() if child.is_dir()]
            near = get_close_matches(path.name, names, n=1)
            if near:
                return f'did you mean {parent / near[0]}?'
    return 'give a run folder, such as work_dirs/<config name>/latest'


def _warn_on_stderr(line: str) -> None:
    print(line, file=sys.stderr)
