"""Run folders found again. `amlnn/run_folder.py` makes, locks and removes them."""

import shutil
from contextlib import nullcontext
from pathlib import Path

from amlnn.run_folder import RunLock, start_order

__all__ = ['checkpoint_run', 'name_within', 'named_run', 'run_folders']


def named_run(parent: Path, name: str) -> str | None:
    """The run of a name, to go on with; None where there is none, and none half begun any more."""
    folder = parent / name
    if (folder / 'run.json').is_file():
        return str(folder)
    with RunLock(folder) if folder.is_dir() else nullcontext():
        shutil.rmtree(folder, ignore_errors=True)  # its process died before the run began
    return None


def run_folders(parent: Path) -> list[Path]:
    """The run folders under `parent`, the one that was begun last first."""
    return sorted((path.parent for path in parent.glob('*/run.json')
                   if not path.parent.is_symlink()),
                  key=lambda folder: start_order(folder.name), reverse=True)


def checkpoint_run(checkpoint: Path) -> Path | None:
    """The run folder that a checkpoint lies in, if it lies in one."""
    parents = checkpoint.absolute().parents
    return next((folder for folder in parents[:2] if (folder / 'run.json').is_file()), None)


def name_within(folder: Path, path: Path) -> str:
    """A path as a run's record names it: from the folder if it lies there, else as it is."""
    try:
        return str(path.absolute().relative_to(folder.absolute()))
    except ValueError:
        return str(path)
