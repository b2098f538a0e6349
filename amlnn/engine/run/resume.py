"""Finding the run to go on with, and refusing another experiment under its name."""

import copy
from dataclasses import dataclass
from pathlib import Path

from amlnn.config.experiment import CONTINUATION, first_difference
from amlnn.config.load import load_config
from amlnn.engine.run.checkpoint import CheckpointFolder, read_checkpoint
from amlnn.engine.run.folder import find_unfinished
from amlnn.errors import UsageError
from amlnn.records import read_run

__all__ = ['RunPlace', 'find_run', 'stored_pretrained']

@dataclass
class RunPlace:
    """A run folder and what is already in it."""

    folder: Path
    resumed: bool

    def __post_init__(self):
        saved = CheckpointFolder(self.folder / 'checkpoints')
        path = saved.newest_whole() if self.resumed else None
        self.checkpoint = read_checkpoint(path) if path else None


def find_run(named: str, parent: Path, config, data_hash: str | None = None,
             same_pretrained: bool = False) -> Path:
    """The run folder to resume.

    Args:
        named: A run folder, or '' for the newest unfinished one.
        parent: Where to look for the newest.
        config: The resolved config of now.
        data_hash: What names the content of its data.
        same_pretrained: Compare `model.pretrained` too, because the command line gives it; else
            what the run began with counts.

    Raises:
        UsageError: there is none, its config differs, or nothing is left to train.
    """
    if named:
        folder = Path(named)
        folder = folder.resolve() if folder.is_symlink() else folder
        record = read_run(folder)
        different = _difference(folder, config, data_hash, same_pretrained)
        if different:
            raise UsageError(
                f'the config is not the one of `{folder}`: {different}',
                hint='max_epochs, work-dir, workers, caches and logging may change '
                '(amlnn/config/experiment.py); without --resume it is a run of its own')
    else:
        folder = find_unfinished(parent, lambda path: not _difference(
            path, config, data_hash, same_pretrained))
        record = read_run(folder)
    if record.status == 'done' and (
            record.stopped_early or len(record.epochs) >= config['train_cfg']['max_epochs']):
        raise UsageError(f'`{folder}` is done: {len(record.epochs)} epochs',
                         hint='to train longer: --cfg-options train_cfg.max_epochs=N')
    return folder


def stored_pretrained(folder: Path) -> str | None:
    """The weights that a run began with."""
    return load_config(folder / 'config.py').config['model'].get('pretrained')


def _difference(folder: Path, config, data_hash: str | None, same_pretrained: bool) -> str:
    """The first thing by which a run is another experiment than a config, in words, or ''."""
    stored = load_config(folder / 'config.py').config
    if not same_pretrained:
        config = copy.deepcopy(config)
        config['model']['pretrained'] = stored['model'].get('pretrained')
    return first_difference(stored, config, CONTINUATION,
                            read_run(folder).data_manifest_hash, data_hash)
