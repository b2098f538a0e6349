"""Trials: one training each, named by what is trained, so that none is done twice.

A trial is a run folder `<config name>-<identity>-s<seed>` in the folder of the sweep, whichever
sweep asks for it. What is known of a trial is what its folder says; where training never got as far
as a folder, or its process died, a small file in `.sweep` says why.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from amlnn.atomic import write_json
from amlnn.config.data_place import data_option
from amlnn.config.experiment import experiment
from amlnn.config.load import LoadedConfig, load_config
from amlnn.config.options import option
from amlnn.engine.options import TrainOptions
from amlnn.engine.train import planned_identity
from amlnn.errors import AmlnnError, ConfigError, DataError
from amlnn.foreign_texts import parse_json
from amlnn.locks import NoLocksError, take_lock
from amlnn.records import RunRecord, read_run
from amlnn.sweep.folds import fold_options
from amlnn.sweep.space import CONFIG, Point, Sweep

__all__ = ['PRUNED', 'Candidate', 'Lease', 'State', 'SweepOptions', 'Trial', 'candidate_label',
           'make_candidate', 'said_of', 'state_of', 'write_failure']

PRUNED = 'pruned'
"""What the error of a run begins with that was stopped because others were better."""


@dataclass
class SweepOptions:
    """The command line of tools/sweep.py."""

    work_dir: Path
    data: Path | None = None
    pretrained: str | None = None
    device: str = 'auto'
    jobs: int = 1
    cfg_options: tuple[str, ...] = ()
    retry: bool = False
    """Train failed trials again."""


@dataclass(frozen=True)
class Trial:
    """One training: a point of the sweep with a seed."""

    name: str
    """Of its run folder."""
    config: str
    options: tuple[str, ...]
    """Overrides."""
    seed: int
    fold: int | None
    label: str
    """Its point, in words."""
    identity: str
    group: str | None
    """Equal for trials whose frozen features are the same; None where nothing is frozen."""
    epochs: int
    monitor: str | None = None

    def message(self, options: SweepOptions, test: str | None, keep: bool) -> dict[str, Any]:
        """What a worker is told."""
        return dict(name=self.name, config=self.config, options=list(self.options), seed=self.seed,
                    work_dir=str(options.work_dir.absolute()), pretrained=options.pretrained,
                    device=options.device, test=test, keep_features=keep)


@dataclass
class Candidate:
    """A point of the sweep, with a trial for each seed and fold."""

    point: Point
    label: str
    trials: list[Trial] = field(default_factory=list)
    number: int | None = None
    """Of the search that asked for it."""


Progress = Literal['waiting', 'running', 'stopped', 'done', 'untested', 'failed', 'pruned']


@dataclass
class State:
    """How far a trial is."""

    progress: Progress
    record: RunRecord | None = None
    reason: str = ''

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do."""
        return self.progress in ('done', 'failed', 'pruned')


def candidate_label(point: Point) -> str:
    """A point in a few words: keys by their last parts.

    >>> candidate_label({'model.frozen_stages': 'all', 'optim_wrapper.optimizer.lr': 0.01})
    'frozen_stages=all lr=0.01'
    """
    return ' '.join(Path(value).stem if key == CONFIG else f'{key.rpartition(".")[2]}={value}'
                    for key, value in point.items())


def make_candidate(sweep: Sweep, point: Point, options: SweepOptions) -> Candidate:
    """Check a point, and name its trials.

    Raises:
        ConfigError: an axis names what no config has, or a value that it cannot have.
        AmlnnError: the data cannot be read.
    """
    values = dict(point)
    config = _config_path(sweep, values.pop(CONFIG, sweep.configs[0]))
    overrides = tuple(option(key, value) for key, value in {**sweep.options, **values}.items())
    given = (*overrides, *options.cfg_options)
    loaded = _load(sweep, config, given, options)
    found = Candidate(point, candidate_label(point) or loaded.name)
    for fold in range(sweep.folds) if sweep.folds else (None,):
        changed, all_options = loaded, (*given, *data_option(options.data))
        if fold is not None:
            folded = fold_options(loaded.config, fold, sweep.folds or 0)
            all_options = (*all_options, *folded)
            changed = load_config(config, all_options)
        known: str | None = None
        for seed in sweep.seeds:
            if known is None:  # the seed is no part of it
                known = planned_identity(TrainOptions(
                    changed, pretrained=options.pretrained,  # type: ignore[arg-type]  # checked less
                    seed=seed, device=options.device))
            part = '' if fold is None else f'-f{fold}'
            found.trials.append(Trial(
                f'{loaded.name}-{known[:12]}-s{seed}{part}', config, all_options, seed, fold,
                found.label, known, _group(changed, seed, options.pretrained),
                int(changed.config['train_cfg']['max_epochs']), _monitor(changed)))
    return found


def _config_path(sweep: Sweep, name: str) -> str:
    """A config as it is loaded: named from the sweep file, or with its package."""
    if '::' in name or Path(name).is_absolute():
        return name
    return os.path.normpath(sweep.path.parent / name)


def _load(sweep: Sweep, config: str, given: Sequence[str], options: SweepOptions) -> LoadedConfig:
    try:
        loaded = load_config(config, [*given, *data_option(options.data)])
    except ConfigError as error:
        # What the sweep's file set is not looked for on the command line.
        message = error.message.replace('--cfg-options', str(sweep.path)) \
            if not options.cfg_options else error.message
        raise ConfigError(message, hint=error.hint) from None
    section = loaded.config.get('train_cfg') or {}
    if not section.get('max_epochs'):
        raise ConfigError(f'`{config}` has no `train_cfg.max_epochs`, and trials are counted in '
                          'epochs', hint='options = {\'train_cfg.max_epochs\': 10}')
    return loaded


def _monitor(loaded: LoadedConfig) -> str | None:
    saver = (loaded.config.get('default_hooks') or {}).get('checkpoint') or {}
    name = saver.get('save_best')
    return None if name in (None, 'auto') else str(name)


# What frozen features do not depend on.
_BEHIND_THE_TRUNK = ('optim_wrapper.', 'param_scheduler', 'train_cfg.', 'default_hooks.',
                     'custom_hooks', 'model.head.', 'model.train_cfg.', 'val_evaluator',
                     'test_evaluator', 'test_dataloader.', 'train_dataloader.batch_size',
                     'train_dataloader.sampler', 'val_dataloader.batch_size',
                     'model.pretrained_head', 'randomness')


def _group(loaded: LoadedConfig, seed: int, pretrained: str | None) -> str | None:
    """What trials with the same frozen features share: it only orders them, and lets features be
    kept; whether kept ones fit is asked of their own key.
    """
    frozen = loaded.config['model'].get('frozen_stages')
    if frozen in (None, -1) or (loaded.config.get('execution') or {}).get('trunk_cache') is False:
        return None
    kept = {key: value for key, value in experiment(loaded.config).items()
            if not key.startswith(_BEHIND_THE_TRUNK)}
    text = json.dumps([kept, seed, pretrained], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def state_of(trial: Trial, work_dir: Path, test: str | None) -> State:
    """What the folder of a trial says.

    Args:
        trial: The trial.
        work_dir: The sweep's.
        test: The part that it is tested on; None for whichever its task takes.
    """
    folder = work_dir / trial.name
    failure = _failure_path(work_dir, trial)
    if failure.is_file():
        return State('failed', reason=_reason(failure))
    if not (folder / 'run.json').is_file():
        return State('waiting')
    try:
        record = read_run(folder)
    except (DataError, TypeError, AttributeError, ValueError) as error:
        return State('stopped', reason=str(error))
    if record.status == 'done':
        tested = [f'test_{test}.json'] if test else ['test_test.json', 'test_val.json']
        whole = any((folder / name).is_file() for name in tested)
        return State('done' if whole else 'untested', record)
    if record.status == 'failed':
        return State('failed', record, record.error or '')
    if (record.error or '').startswith(PRUNED):
        return State('pruned', record, record.error or '')
    return State('running' if record.status == 'running' and _is_locked(folder) else 'stopped',
                 record)


def _is_locked(folder: Path) -> bool:
    try:
        os.close(take_lock(folder, shared=True))
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def write_failure(work_dir: Path, trial: Trial, reason: str) -> None:
    """Keep why a trial ended whose folder does not say it."""
    write_json(_failure_path(work_dir, trial), {'trial': trial.name, 'reason': reason})


def forget_failure(work_dir: Path, trial: Trial) -> None:
    """Let a failed trial be trained again."""
    _failure_path(work_dir, trial).unlink(missing_ok=True)


def _failure_path(work_dir: Path, trial: Trial) -> Path:
    return work_dir / '.sweep' / f'{trial.name}.failed.json'


def _reason(path: Path) -> str:
    try:
        return str(parse_json(path.read_text(encoding='utf-8'))['reason'])
    except (OSError, ValueError, KeyError, TypeError):
        return 'failed'


class Lease:
    """Held by the one sweep that trains a trial; gone with its process.

    Raises:
        BlockingIOError: another sweep has it.
    """

    def __init__(self, work_dir: Path, trial: Trial):
        path = work_dir / '.sweep' / f'{trial.name}.lease'
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle: int | None = None
        with suppress(NoLocksError):  # a disk without locks: the run folder has none either
            self._handle = take_lock(path, create=True)

    def release(self) -> None:
        """Let others have it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def why(error: BaseException) -> str:
    """An error in one line."""
    text = ' '.join(str(error).split())[:300]
    return text if isinstance(error, AmlnnError) else f'{type(error).__name__}: {text}'


def said_of(state: State) -> str:
    """How a trial ended, in words."""
    record = state.record
    if state.progress == 'done' and record is not None:
        return best_of(record)
    return state.reason if state.reason.startswith(state.progress) else \
        f'{state.progress}: {state.reason}' if state.reason else state.progress


def best_of(record: RunRecord) -> str:
    """The best epoch of a run, in words."""
    if record.best_value is None:
        return f'{len(record.epochs)} epochs'
    return f'{record.monitor} {record.best_value:.4g} in epoch {record.best_epoch}'
