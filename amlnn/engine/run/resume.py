"""Finding the run to go on with, and refusing another experiment under its name."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.config import ConfigDict

from amlnn.atomic import write_text
from amlnn.config.experiment import CONTINUATION, batch_size, first_difference, together
from amlnn.config.load import read_stored_config
from amlnn.config.resolved import config_hash
from amlnn.config.weight_sources import as_begun
from amlnn.engine.run.checkpoint import CheckpointFolder, Found, progress_of
from amlnn.engine.run.folder import run_folders
from amlnn.errors import AmlnnError, DataError, UsageError
from amlnn.records import RunRecord, process_count, read_run, record_of

__all__ = ['DataChanged', 'NothingToResume', 'RunPlace', 'StoredRun', 'change_of', 'find_run',
           'how_far']


class NothingToResume(UsageError):
    """No run of the config is unfinished."""


@dataclass
class RunPlace:
    """A run folder and what is already in it."""

    folder: Path
    resumed: bool
    faults: list[str] = field(default_factory=list)
    """What is wrong with what is in it, in words."""

    def __post_init__(self):
        found = CheckpointFolder(self.folder / 'checkpoints').find(self.faults) \
            if self.resumed else None
        self.checkpoint = found.checkpoint if found else None

    @property
    def progress(self) -> str:
        """How far its checkpoint is, in words."""
        return how_far(progress_of(self.checkpoint) if self.checkpoint else (0, 0))


def how_far(progress: tuple[int, int]) -> str:
    """Epochs, and batches of the next, in words.

    >>> how_far((2, 0)), how_far((2, 7))
    ('epoch 2', 'epoch 2 and 7 batches of the next')
    """
    epochs, batches = progress
    return f'epoch {epochs}' + (f' and {batches} batches of the next' if batches else '')


def change_of(before: str | None, now: str | None) -> str:
    """How data differ from those of before, in words, or ''; by what names their content.

    >>> change_of('0123456789', None), change_of(None, None)
    ('their hash is unknown, was 01234567', '')
    """
    if before == now:
        return ''
    return f'their hash is {(now or "unknown")[:8]}, was {(before or "unknown")[:8]}'


@dataclass
class StoredRun:
    """A run folder, read once."""

    folder: Path
    record: RunRecord
    config: ConfigDict
    faults: list[str] = field(default_factory=list)
    """Files that are damaged or gone and were made up for by a checkpoint, in words."""

    @classmethod
    def read(cls, folder: Path) -> 'StoredRun':
        """Read run.json and config.py; where one is damaged, take what a checkpoint knows of it.

        Raises:
            AmlnnError: one of them is not there, or damaged, and no checkpoint knows.
        """
        faults: list[str] = []
        found: Found | None = None
        try:
            record = read_run(folder)
        except DataError as error:
            found = CheckpointFolder(folder / 'checkpoints').find([])
            if found is None or 'run' not in found.checkpoint['meta']:
                raise
            record = _record_of(found)
            faults.append(f'{error.message}; it is written again from `{found.path}`')
        try:
            config = _config_of(folder, record)
        except AmlnnError as error:
            found = found or CheckpointFolder(folder / 'checkpoints').find([])
            meta = found.checkpoint['meta'] if found else {}
            if not meta.get('cfg'):
                raise
            write_text(folder / 'config.py', meta['cfg'])
            config = read_stored_config(folder / 'config.py').config
            faults.append(f'{error.message}; it is written again from `{found.path}`')
        return cls(folder, record, config, faults)

    @property
    def processes(self) -> int:
        """How many it was trained by."""
        return process_count(self.record.device)

    @property
    def trunk_engine(self) -> str | None:
        """What computed its frozen stages; once that was torch, unsaid."""
        return self.record.trunk_engine or ('torch' if self.record.trunk else None)

    def difference(self, config, data_hash: str | None, same_pretrained: bool, count: int) -> str:
        """The first thing by which it is another experiment than a config, in words, or ''.

        Two processes with batches of 10 go on with what one began with batches of 20.
        """
        if not same_pretrained:
            config = as_begun(config, self.config)
        before, now = together(self.config, self.processes), together(config, count)
        there, here = batch_size(before), batch_size(now)
        if count != self.processes and there and here and there != here:
            return (f'{self.processes} x {there // self.processes} samples a step there, '
                    f'{count} x {here // count} here')
        return first_difference(before, now, CONTINUATION, self.record.data_manifest_hash,
                                data_hash)

    def other_data(self, data_hash: str | None) -> str:
        """How its data differ from those of now, in words, or ''."""
        return change_of(self.record.data_manifest_hash, data_hash)


def _config_of(folder: Path, record: RunRecord) -> ConfigDict:
    """The config that a run stored.

    Raises:
        AmlnnError: it cannot be read, or is not the one that the record names.
    """
    path = folder / 'config.py'
    if not path.is_file():
        raise DataError(f'no config at `{path}`', hint='name another run')
    config = read_stored_config(path).config
    if config_hash(config) != record.config_hash:
        raise DataError(f'`{path}` was damaged or changed: it is not the config that `run.json` '
                        'names', hint='name another run')
    return config


def _record_of(found: Found) -> RunRecord:
    """The record of a run whose run.json is lost, as far as a checkpoint knows it."""
    facts, state = found.checkpoint['meta']['run'], found.checkpoint['record']
    record = record_of({**facts, 'epochs': state['epochs']}, found.path)
    record.status = 'interrupted'
    return record


class DataChanged(UsageError):
    """The data are not those that the run was trained on."""


def find_run(named: str, parent: Path, config, data_hash: str | None = None,
             same_pretrained: bool = False, count: int = 1,
             data_changed: bool = False) -> StoredRun:
    """The run to resume.

    Args:
        named: A run folder, or '' for the newest unfinished one.
        parent: Where to look for the newest.
        config: The resolved config of now.
        data_hash: What names the content of its data.
        same_pretrained: Compare `model.pretrained` too, because the command line gives it; else
            what the run began with counts.
        count: Processes of now.
        data_changed: Go on although the data are others.

    Raises:
        DataChanged: its data are others.
        UsageError: there is none, its config differs, or nothing is left to train.
    """
    run = _named(named, config, data_hash, same_pretrained, count, data_changed) if named \
        else _newest(parent, config, data_hash, same_pretrained, count, data_changed)
    record = run.record
    if record.status == 'done' and (
            record.stopped_early or len(record.epochs) >= config['train_cfg']['max_epochs']):
        raise UsageError(f'`{run.folder}` is done: {len(record.epochs)} epochs',
                         hint='to train longer: --cfg-options train_cfg.max_epochs=N')
    return run


def _named(named: str, config, data_hash: str | None, same_pretrained: bool, count: int,
           data_changed: bool) -> StoredRun:
    folder = Path(named)
    run = StoredRun.read(folder.resolve() if folder.is_symlink() else folder)
    hash_ = run.record.data_manifest_hash if data_changed else data_hash
    different = run.difference(config, hash_, same_pretrained, count)
    if different and ' a step ' in different:
        raise UsageError(
            f'`{run.folder}` took batches of another size: {different}',
            hint=f'as many processes as it had: {run.processes}; or another '
            'train_dataloader.batch_size, of each process')
    if different and not data_changed and run.other_data(data_hash):
        raise _changed(run, data_hash)
    if different:
        raise UsageError(
            f'the config is not the one of `{run.folder}`: {different}',
            hint='max_epochs, work-dir, workers, caches and logging may change '
            '(amlnn/config/experiment.py); without --resume it is a run of its own')
    return run


def _newest(parent: Path, config, data_hash: str | None, same_pretrained: bool, count: int,
            data_changed: bool) -> StoredRun:
    other: StoredRun | None = None
    passed: list[str] = []
    for run in _unfinished(parent, passed):
        if not run.difference(config, data_hash, same_pretrained, count):
            run.faults += passed
            return run
        if other is None and run.other_data(data_hash) and not run.difference(
                config, run.record.data_manifest_hash, same_pretrained, count):
            other = run
    if other is not None:
        if data_changed:
            return other
        raise _changed(other, data_hash)
    beside = f' ({passed[0]})' if passed else ''
    raise NothingToResume(
        f'`{parent}` has no unfinished run of this config{beside}',
        hint='start one without --resume, or name a run folder: --resume RUN')


def _changed(run: StoredRun, data_hash: str | None) -> DataChanged:
    return DataChanged(
        f'the data of `{run.folder}` have changed since: {run.other_data(data_hash)}; what '
        'it was trained on may be in its test part now',
        hint='put the old ones back, train anew without --resume, or add --data-changed, which is '
        'recorded')


def _unfinished(parent: Path, passed: list[str]) -> Iterator[StoredRun]:
    """The runs that are not done, newest first; of those that cannot be read, why."""
    for folder in run_folders(parent):
        try:
            run = StoredRun.read(folder)
        except AmlnnError as error:
            passed.append(error.message)
            continue
        if run.record.status != 'done':
            yield run
