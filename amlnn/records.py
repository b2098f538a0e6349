"""The schema of a run folder: the one interface between training and everything that reads results.

A run writes these files and results reads them; neither imports the other. The folder
`work_dirs/<config name>/<UTC time>-<short hash>/` holds::

    config.py                    the resolved config
    run.json                     RunRecord below, rewritten whole after every epoch
    scalars.jsonl                one JSON object a logged iteration: epoch, iteration, loss, lr, ...
    train.log                    MMEngine's own log
    curves.png
    checkpoints/epoch_NNNN.pth   the two newest, each with a digest of itself (`amlnn.sealed`)
    checkpoints/epoch_NNNN.part.pth    a part of an epoch, after a stop in the middle of a long one
    checkpoints/manifest.json    [{file, sha256, bytes, epoch, iteration}, ...]
    best.pth
    predictions_<split>.npz      id [N] str; label [N] int64; prob [N, K] float32; classes [K] str
    test_<split>.json            TestRecord below, written by tools/test.py
    insight_<split>.npz          written by tools/test.py --explain; see amlnn/results/insight.py
    components.npz               the parts of a generated series

A forecast's `predictions_<split>.npz` holds, for N windows, P steps ahead and C columns: id [N] str
(time or row of the first target), target and forecast [N, P, C] float32 in scaled units, columns
[C] str, mean and deviation [C] of the scale; where there are any, observed [N, P, C] bool, and
quantiles [N, P, C, Q] float32 with levels [Q]. Its images are windows. Of a panel of S series it
holds ids [S] str, the names of the series, and series [N] int64, each window's place among them;
mean and deviation are [S, C], and id is "<series> <time or row>". `components.npz` holds, for
T rows: trend, seasons, shifts, noise and outliers [T, C] float32, whose sum is the series; gaps
[T, C] bool, True where a value is missing; columns [C] str, times [T] datetime64, and borders [3],
the rows at which the training, validation and test part end.

Changing anything here needs a new SCHEMA_VERSION and a CHANGELOG line. Records of older versions
are read as the present one.
"""

import dataclasses
import functools
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeGuard, TypeVar, Union, get_args, get_origin, get_type_hints

from amlnn.atomic import write_json
from amlnn.errors import DataError
from amlnn.foreign_texts import parse_json

__all__ = ['OWN', 'REPEAT_LAST', 'SCHEMA_VERSION', 'TRAIN_MEAN', 'TRUTH', 'EpochRecord',
           'FrozenStage', 'RunRecord', 'Split', 'Status', 'TestRecord', 'device_of_several',
           'epoch_of', 'is_known', 'misfit', 'present_names', 'process_count', 'read_run',
           'read_test', 'record_of', 'write_record']

SCHEMA_VERSION = 7
"""4 to 7 added what has a default: errors by series, the engine of the trunk, that of a test, facts
of classes and what an epoch had frozen."""

_READ = (1, 2, 3, 4, 5, 6, 7)

# What version 1 called otherwise; there windows were called images.
_RENAMED = {'images_per_second': 'samples_per_second', 'total_images': 'total_samples'}

OWN = 'this model'
"""The row of the tested model among the sampled ones."""
TRUTH = 'noise-free truth'
"""The row of a generated series' own signal: what is left is noise that nobody can forecast."""
TRAIN_MEAN, REPEAT_LAST = 'train mean', 'repeat last'
"""The rows of the simple methods that stored targets alone allow to compute."""

_CHANGED = 'the file was not written by amlnn, or was changed since'

Status = Literal['running', 'done', 'failed', 'interrupted']
Split = Literal['train', 'val', 'test']


@dataclass
class EpochRecord:
    """One epoch. Epochs and iterations count from 1; seconds are wall-clock."""

    epoch: int
    iteration: int
    train_loss: float | None
    val_loss: float | None
    metrics: dict[str, float]
    """Validation metrics by name, as the evaluators name them: 'accuracy/top1' in percent."""
    learning_rate: float
    seconds: float
    """Training and validation together."""
    train_seconds: float
    val_seconds: float
    samples_per_second: float
    """Training samples, which are images or windows, divided by train_seconds."""
    threads: int | None = None
    """Of the process that trained it; sums of another number of threads end in other bits."""
    frozen: list[str] | None = None
    """Names of the stages that were frozen, of `RunRecord.stages`; None where the run does not say.
    """
    arrays: dict[str, list[Any]] = field(default_factory=dict)
    """Validation metrics that are several numbers, nested lists: one a class, or a matrix.

    Of the best and of the newest epoch alone.
    """


@dataclass
class FrozenStage:
    """One row of the table of stages that a run prints."""

    name: str
    frozen: bool
    trainable_parameters: int
    total_parameters: int


@dataclass
class RunRecord:
    """What `run.json` holds. Every field is there; None means not known or not applicable."""

    config_name: str
    """The config file's name without folder and ending: 'resnet50_frozen3'."""
    config_path: str
    command: list[str]
    config_hash: str
    """Of the resolved config, every key of it."""
    started: str
    """UTC, ISO 8601."""
    seed: int
    schema_version: int = SCHEMA_VERSION
    experiment: str | None = None
    """Equal for runs that repeat one experiment (`amlnn.config.experiment.identity`)."""
    kind: Literal['classification', 'forecasting'] = 'classification'
    status: Status = 'running'
    error: str | None = None
    finished: str | None = None
    data_root: str | None = None
    data_manifest_hash: str | None = None
    classes: list[str] = field(default_factory=list)
    class_facts: dict[str, list[float]] = field(default_factory=dict)
    """Numbers of each class, by what they say: 'in training', 'weight in the loss', ..."""
    samples: dict[str, int] = field(default_factory=dict)
    """Number of samples by split."""
    versions: dict[str, str] = field(default_factory=dict)
    device: str = 'cpu'
    """Its name; '2 x cpu' where two processes had one each (`process_count`)."""
    threads: int = 1
    precision: str = 'fp32'
    trunk: str | None = None
    """How frozen stages were computed once a view, in words; None on the plain path."""
    trunk_engine: str | None = None
    """What computed them: 'torch' or 'openvino'."""
    pretrained: str | None = None
    frozen_stages: int | str | None = None
    """-1 nothing, 0 the stem, n the stem and n stages, 'all'."""
    stages: list[FrozenStage] = field(default_factory=list)
    trainable_parameters: int | None = None
    total_parameters: int | None = None
    max_epochs: int | None = None
    epochs: list[EpochRecord] = field(default_factory=list)
    monitor: str | None = None
    monitor_rule: Literal['greater', 'less'] | None = None
    best_epoch: int | None = None
    best_value: float | None = None
    total_seconds: float = 0.0
    """Over all epochs, resumed parts included; without start-up."""
    total_samples: int = 0
    stopped_early: bool = False
    lost_epochs: list[int] = field(default_factory=list)
    """Epochs that were the best and whose weights were damaged since; they count as no best."""
    data_changed: str | None = None
    """Where it went on with other data than it began with: every change of them, in words."""


@dataclass
class TestRecord:
    """What `test_<split>.json` holds."""

    __test__ = False  # not a pytest class

    checkpoint: str
    """Name relative to the run folder if it lies there, else as given."""
    checkpoint_epoch: int | None
    split: Split
    samples: int
    loss: float | None
    metrics: dict[str, float]
    seconds: float
    samples_per_second: float
    device: str
    precision: str
    data_root: str | None
    data_manifest_hash: str | None
    versions: dict[str, str]
    created: str
    schema_version: int = SCHEMA_VERSION
    arrays: dict[str, list[Any]] = field(default_factory=dict)
    """Metrics that are several numbers, nested lists: one a class, or a matrix."""
    data_changed: str | None = None
    """How the data differ from those that the checkpoint was trained on, in words; and how those
    changed while it was trained.
    """
    tta: bool = False
    engine: str | None = None
    """What computed a classifier's backbone: 'torch', the model's own forward; 'torch-folded', with
    batch norms folded; 'openvino' or 'openvino-int8'.
    """
    baselines: dict[str, dict[str, float]] = field(default_factory=dict)
    """Of a forecast: errors and 'windows' of simple methods by name, on all windows of the part.

    Errors are 'forecast/mse' and 'forecast/mae' in scaled units, and with '_original' after the
    name in those of the data. 'interval/coverage_80', 'interval/width_80', 'interval/winkler_80',
    the same of 95, and 'interval/crps' say how the method's intervals held, where it has some.
    """
    sampled_baselines: dict[str, dict[str, float]] = field(default_factory=dict)
    """Of a forecast: the same of slow methods, on fewer windows, evenly spaced.

    Under OWN is what this model itself reaches on these windows: no other row compares with them.
    """
    repeated_windows: int | None = None
    """Of a forecast: test windows that occur in the training part too."""
    series_errors: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    """Of a panel's forecasts: by method, OWN and simple ones, an object for each series.

    Each has 'mse' and 'mae' in original units, null where there is none, and 'windows'; in the
    order of `ids` in `predictions_<split>.npz`.
    """


def is_known(value: float | None) -> TypeGuard[float]:
    """Whether a figure of a record says something: it is there, and finite.

    >>> is_known(0.0), is_known(None), is_known(math.nan)
    (True, False, False)
    """
    return value is not None and math.isfinite(value)


def device_of_several(name: str, count: int) -> str:
    """The device of a record of several processes.

    >>> device_of_several('cpu', 2)
    '2 x cpu'
    """
    return f'{count} x {name}'


def process_count(device: str) -> int:
    """How many processes a record's device says there were.

    >>> process_count('2 x cpu'), process_count('NVIDIA H100 80GB HBM3'), process_count('cpu')
    (2, 1, 1)
    """
    found = re.match(r'(\d+) x ', device)
    return int(found[1]) if found else 1


def write_record(path: Path | str, record: RunRecord | TestRecord) -> None:
    """Write a record as JSON, whole or not at all. What is not finite is written as null."""
    write_json(path, _finite(dataclasses.asdict(record)))


def read_run(path: Path | str) -> RunRecord:
    """Read `run.json`, given it or its run folder.

    Raises:
        DataError: there is none, or it is not of this schema.
    """
    path = Path(path)
    if path.is_dir():
        path = path / 'run.json'
    return record_of(_read_object(path, 'run'), path)


def is_done(folder: Path) -> bool:
    """Whether a run is there, and came to its end.

    Raises:
        DataError: its record cannot be read.
    """
    return (folder / 'run.json').is_file() and read_run(folder).status == 'done'


def record_of(values: dict[str, Any], path: Path) -> RunRecord:
    """The record that values of JSON, or of a checkpoint, are.

    Args:
        values: What `dataclasses.asdict` makes of one.
        path: Where they are from.

    Raises:
        DataError: they are no record.
    """
    values = dict(values)
    for name in ('stages', 'epochs'):
        if not isinstance(values.get(name, []), list) or not all(
                isinstance(each, dict) for each in values.get(name, [])):
            raise DataError(f'`{path}`: `{name}` is no list of objects', hint=_CHANGED)
    stages = [_construct(FrozenStage, stage, path) for stage in values.pop('stages', [])]
    epochs = [epoch_of(epoch, path) for epoch in values.pop('epochs', [])]
    record = _construct(RunRecord, {**values, 'stages': stages, 'epochs': epochs}, path)
    if record.status not in get_args(Status):
        raise DataError(f'`{path}` has the unknown status `{record.status}`',
                        hint=f'one of {", ".join(get_args(Status))}')
    return record


def epoch_of(values: dict[str, Any], path: Path) -> EpochRecord:
    """The epoch that values of a record of any version are; arguments and errors of `record_of`."""
    return _construct(EpochRecord, present_names(values), path)


def read_test(path: Path | str) -> TestRecord:
    """Read `test_<split>.json`.

    Raises:
        DataError: there is none, or it is not of this schema.
    """
    record = _construct(TestRecord, _read_object(Path(path), 'test'), Path(path))
    for rows in (record.baselines, record.sampled_baselines):
        for name, row in rows.items():
            if not is_known(row.get('windows')):
                raise DataError(f'`{path}`: `{name}` says not on how many windows', hint=_CHANGED)
    return record


def present_names(values: dict[str, Any]) -> dict[str, Any]:
    """Values of a record of any version under the names of the present one.

    >>> present_names({'epoch': 1, 'images_per_second': 2.0})
    {'epoch': 1, 'samples_per_second': 2.0}
    """
    return {_RENAMED.get(name, name): value for name, value in values.items()}


def _read_object(path: Path, what: str) -> dict[str, Any]:
    try:
        values = parse_json(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise DataError(f'no {what} record at `{path}`',
                        hint='give a run folder, such as work_dirs/<config name>/latest') from None
    except (ValueError, OSError, RecursionError) as error:
        raise DataError(f'`{path}` cannot be read: {error}',
                        hint=_CHANGED) from None
    version = values.get('schema_version') if isinstance(values, dict) else None
    if version not in _READ:
        raise DataError(
            f'`{path}` has schema version {version}, this amlnn reads '
            f'{", ".join(map(str, _READ))}', hint='read it with the version of amlnn that wrote it')
    return {**present_names(values), 'schema_version': SCHEMA_VERSION}


_Part = TypeVar('_Part', RunRecord, TestRecord, EpochRecord, FrozenStage)


def _construct(cls: type[_Part], values: dict[str, Any], path: Path) -> _Part:
    names = {item.name for item in dataclasses.fields(cls)}
    unknown = sorted(set(values) - names)
    if unknown:
        raise DataError(f'`{path}` has unknown keys: {", ".join(map(str, unknown))}', hint=_CHANGED)
    wrong = misfit(cls, values)
    if wrong:
        raise DataError(f'`{path}`: {wrong}', hint=_CHANGED)
    try:
        return cls(**values)
    except TypeError as error:
        raise DataError(f'`{path}` is not complete: {error}', hint=_CHANGED) from None


_hints = functools.cache(get_type_hints)  # of a manifest's images there are many


def misfit(cls: type, values: dict[str, Any]) -> str:
    """The first value of JSON that is not of the type of its field, in words; '' for none.

    >>> misfit(FrozenStage, {'name': 'stem', 'frozen': 1})
    "`frozen` is '1', which is no bool"
    """
    hints = _hints(cls)
    for name, value in values.items():
        if name in hints and not _fits(value, hints[name]):
            return f'`{name}` is {str(value)[:40]!r}, which is no ' \
                f'{getattr(hints[name], "__name__", hints[name])}'
    return ''


def _fits(value: object, hint: Any) -> bool:
    """Whether a value of JSON is of the type of a field.

    >>> _fits(1, float), _fits('1', int | None), _fits({'a': [1]}, dict[str, list[int]])
    (True, False, True)
    """
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin is Literal:
        return isinstance(value, str)  # which words there are, others ask
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in inner)
    if origin is list:
        return isinstance(value, list) and all(_fits(each, inner[0]) for each in value)
    if origin is dict:
        return isinstance(value, dict) and all(
            _fits(key, inner[0]) and _fits(each, inner[1]) for key, each in value.items())
    if hint is float:  # what was not finite is null
        return value is None or isinstance(value, float) or _fits(value, int)
    if hint is int:  # of 64 bits: others overflow where they are divided
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2 ** 63
    return isinstance(value, hint)


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
