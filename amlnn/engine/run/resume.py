"""Finding the run to go on with, and refusing another experiment under its name."""

from dataclasses import dataclass
from pathlib import Path

from mmengine.config import ConfigDict

from amlnn.config.experiment import CONTINUATION, first_difference, together
from amlnn.config.load import read_stored_config
from amlnn.config.weight_sources import as_begun
from amlnn.engine.run.checkpoint import CheckpointFolder, read_checkpoint
from amlnn.engine.run.folder import find_unfinished
from amlnn.errors import UsageError
from amlnn.records import RunRecord, process_count, read_run

__all__ = ['NothingToResume', 'RunPlace', 'StoredRun', 'find_run']


class NothingToResume(UsageError):
    """No run of the config is unfinished."""


@dataclass
class RunPlace:
    """A run folder and what is already in it."""

    folder: Path
    resumed: bool

    def __post_init__(self):
        saved = CheckpointFolder(self.folder / 'checkpoints')
        path = saved.newest_whole() if self.resumed else None
        self.checkpoint = read_checkpoint(path) if path else None


@dataclass
class StoredRun:
    """A run folder, read once."""

    folder: Path
    record: RunRecord
    config: ConfigDict

    @classmethod
    def read(cls, folder: Path) -> 'StoredRun':
        """Read run.json and config.py.

        Raises:
            AmlnnError: one of them is not there, or damaged.
        """
        return cls(folder, read_run(folder), read_stored_config(folder / 'config.py').config)

    @property
    def processes(self) -> int:
        """How many it was trained by."""
        return process_count(self.record.device)

    def difference(self, config, data_hash: str | None, same_pretrained: bool, count: int) -> str:
        """The first thing by which it is another experiment than a config, in words, or ''.

        Two processes with batches of 10 go on with what one began with batches of 20.
        """
        if not same_pretrained:
            config = as_begun(config, self.config)
        before, now = together(self.config, self.processes), together(config, count)
        sizes = [each['train_dataloader'].get('batch_size') for each in (before, now)]
        if count != self.processes and sizes[0] != sizes[1]:
            return (f'{self.processes} x {sizes[0] // self.processes} samples a step there, '
                    f'{count} x {sizes[1] // count} here')
        return first_difference(before, now, CONTINUATION, self.record.data_manifest_hash,
                                data_hash)


def find_run(named: str, parent: Path, config, data_hash: str | None = None,
             same_pretrained: bool = False, count: int = 1) -> StoredRun:
    """The run to resume.

    Args:
        named: A run folder, or '' for the newest unfinished one.
        parent: Where to look for the newest.
        config: The resolved config of now.
        data_hash: What names the content of its data.
        same_pretrained: Compare `model.pretrained` too, because the command line gives it; else
            what the run began with counts.
        count: Processes of now.

    Raises:
        UsageError: there is none, its config differs, or nothing is left to train.
    """
    if named:
        folder = Path(named)
        run = StoredRun.read(folder.resolve() if folder.is_symlink() else folder)
        different = run.difference(config, data_hash, same_pretrained, count)
        if different and ' a step ' in different:
            raise UsageError(
                f'`{run.folder}` took batches of another size: {different}',
                hint=f'as many processes as it had: {run.processes}; or another '
                'train_dataloader.batch_size, of each process')
        if different:
            raise UsageError(
                f'the config is not the one of `{run.folder}`: {different}',
                hint='max_epochs, work-dir, workers, caches and logging may change '
                '(amlnn/config/experiment.py); without --resume it is a run of its own')
    else:
        candidates = map(StoredRun.read, find_unfinished(parent))
        run = next((run for run in candidates
                    if not run.difference(config, data_hash, same_pretrained, count)), None)
        if run is None:
            raise NothingToResume(
                f'`{parent}` has no unfinished run of this config',
                hint='start one without --resume, or name a run folder: --resume RUN')
    record = run.record
    if record.status == 'done' and (
            record.stopped_early or len(record.epochs) >= config['train_cfg']['max_epochs']):
        raise UsageError(f'`{run.folder}` is done: {len(record.epochs)} epochs',
                         hint='to train longer: --cfg-options train_cfg.max_epochs=N')
    return run
