"""Finding the run to go on with, and refusing another experiment under its name."""

from dataclasses import dataclass
from pathlib import Path

from amlnn.config.load import load_config
from amlnn.engine.checkpoint import CheckpointFolder, read_checkpoint
from amlnn.engine.folder import find_unfinished
from amlnn.errors import UsageError
from amlnn.records import read_run

__all__ = ['RunPlace', 'find_run', 'stored_pretrained']

# What may differ between a run and its continuation, by the last part of the key.
_FREE = ('max_epochs', 'num_workers', 'persistent_workers', 'prefetch_factor', 'decoded_cache',
         'work_dir')


@dataclass
class RunPlace:
    """A run folder and what is already in it."""

    folder: Path
    resumed: bool

    def __post_init__(self):
        saved = CheckpointFolder(self.folder / 'checkpoints')
        path = saved.newest_whole() if self.resumed else None
        self.checkpoint = read_checkpoint(path) if path else None


def find_run(named: str, parent: Path, config, same_pretrained: bool = False) -> Path:
    """The run folder to resume.

    Args:
        named: A run folder, or '' for the newest unfinished one.
        parent: Where to look for the newest.
        config: The resolved config of now.
        same_pretrained: Compare `model.pretrained` too, because the command line gives it; else
            what the run began with counts.

    Raises:
        UsageError: there is none, its config differs, or nothing is left to train.
    """
    if named:
        folder = Path(named)
        folder = folder.resolve() if folder.is_symlink() else folder
        record = read_run(folder)
        different = _first_difference(folder, config, same_pretrained)
        if different:
            raise UsageError(
                f'the config is not the one of `{folder}`: {different}',
                hint='only max_epochs, work-dir, workers and decoded_cache may change; without '
                '--resume it is a run of its own')
    else:
        folder = find_unfinished(parent, lambda path: not _first_difference(
            path, config, same_pretrained))
        record = read_run(folder)
    if record.status == 'done' and (
            record.stopped_early or len(record.epochs) >= config['train_cfg']['max_epochs']):
        raise UsageError(f'`{folder}` is done: {len(record.epochs)} epochs',
                         hint='to train longer: --cfg-options train_cfg.max_epochs=N')
    return folder


def stored_pretrained(folder: Path) -> str | None:
    """The weights that a run began with."""
    return load_config(folder / 'config.py').config['model'].get('pretrained')


def _first_difference(folder: Path, config, same_pretrained: bool) -> str:
    """The first key that differs, in words, or ''."""
    stored = _flat(load_config(folder / 'config.py').config)
    now = _flat(config)
    for key in sorted(stored.keys() | now.keys()):
        if key == 'model.pretrained' and not same_pretrained:
            continue
        if key.rpartition('.')[2] not in _FREE and stored.get(key) != now.get(key):
            return f'`{key}` is {now.get(key)!r}, was {stored.get(key)!r}'
    return ''


def _flat(section, prefix: str = '') -> dict[str, object]:
    if isinstance(section, dict) and section:
        items = section.items()
    elif isinstance(section, list | tuple) and section:
        items = enumerate(section)
    else:
        empty = isinstance(section, list | tuple)
        return {prefix: [] if empty else section}
    return {name: value for key, child in items
            for name, value in _flat(child, f'{prefix}.{key}' if prefix else str(key)).items()}
