"""Files of weights that are named by a path."""

import os
from pathlib import Path

from amlnn.errors import WeightsError
from amlnn.suggest import nearest

__all__ = ['ENVIRONMENT', 'LOCAL_FOLDER', 'find_path', 'weight_folders']

ENVIRONMENT = 'AMLNN_WEIGHTS'
LOCAL_FOLDER = 'weights'
_ENDINGS = ('.pth', '.pt', '.safetensors', '.bin', '.ckpt')


def find_path(source: str) -> Path:
    """The file that a path names: itself, or best.pth of a run folder.

    Raises:
        WeightsError: there is none; names what is near.
    """
    given = Path(source).expanduser()
    folders = [Path(), *weight_folders()] if not given.is_absolute() else [Path()]
    for folder in folders:
        if (folder / given).is_file():
            return folder / given
        if (folder / given).is_dir():
            return _file_in(folder / given)
    raise WeightsError(f'no weights at `{source}`', hint=_nearest_file(given) +
                       'give the path of a .pth file; names are also looked for in '
                       f'${ENVIRONMENT} and {LOCAL_FOLDER}/')


def _file_in(folder: Path) -> Path:
    """The best weights of a run folder.

    Raises:
        WeightsError: the folder is none, or the run has none; names the files that are there.
    """
    if (folder / 'best.pth').is_file():
        return folder / 'best.pth'
    inner = [folder / 'latest' / 'best.pth', *sorted((folder / 'checkpoints').glob('*.pth'))[-1:],
             *sorted(path for path in folder.iterdir() if path.suffix in _ENDINGS)]
    found = [str(path) for path in inner if path.is_file()]
    what = 'is a run folder without best.pth' if (folder / 'run.json').is_file() else 'is a folder'
    raise WeightsError(f'`{folder}` {what}, not a file of weights',
                       hint=f'did you mean {", or ".join(found[:3])}?' if found else
                       'give the path of a .pth file, or of a run folder that has best.pth')


def _nearest_file(given: Path) -> str:
    if not given.parent.is_dir():
        return ''
    names = [path.name for path in given.parent.iterdir()
             if path.suffix in _ENDINGS or (path / 'best.pth').is_file()]
    near = nearest(given.name, names)
    return f'did you mean {given.parent / near[0]}? else ' if near else ''


def weight_folders() -> list[Path]:
    """Where files of weights are looked for by their names alone."""
    named = os.environ.get(ENVIRONMENT)
    return ([Path(named).expanduser()] if named else []) + [Path(LOCAL_FOLDER)]
