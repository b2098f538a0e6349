"""The folder of a report: it appears whole or not at all, and what others put there is kept."""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from amlnn.errors import DataError
from amlnn.folder_swap import replacing_folder
from amlnn.foreign_texts import parse_json

__all__ = ['new_report', 'refuse_foreign']

_MARKER = '.amlnn-report.json'  # the names of the files that a report put into its folder


@contextmanager
def new_report(out: Path) -> Iterator[Path]:
    """An empty folder that becomes `out` on a clean exit.

    Args:
        out: A folder that does not exist, is empty, or holds an earlier report.

    Raises:
        DataError: the folder holds something else or cannot be written.
    """
    refuse_foreign(out)
    try:
        with replacing_folder(out.resolve(), True, lambda names: _MARKER in names, 'report',
                              _of_others) as work:
            new = work / 'new'
            new.mkdir()
            yield new
            names = sorted(path.name for path in new.iterdir())
            (new / _MARKER).write_text(json.dumps(names, indent=1) + '\n', encoding='utf-8')
    except OSError as error:
        raise DataError(f'the report cannot be written to `{out}`: {error}',
                        hint='choose another folder with --out') from None


def refuse_foreign(out: Path) -> None:
    """Refuse a folder that a report may not be written to.

    Raises:
        DataError: it holds something else.
    """
    inside = shlex.quote(str(out / 'report'))
    if out.exists() and not out.is_dir():
        raise DataError(f'`{out}` is a file', hint='choose a folder with --out')
    if Path.cwd().is_relative_to(out.resolve()):
        # The folder is replaced by renaming: it must not vanish under the one who works in it.
        raise DataError(f'`{out}` is the working folder, or holds it',
                        hint=f'choose a folder inside it: --out {inside}')
    if out.is_dir() and any(out.iterdir()) and not (out / _MARKER).is_file():
        raise DataError(f'`{out}` is not empty and holds no earlier report',
                        hint=f'choose a new folder: --out {inside}')


def _of_others(old: Path) -> list[Path]:
    """What an old report did not write: it moves along."""
    try:
        ours = {*parse_json((old / _MARKER).read_text(encoding='utf-8')), _MARKER}
    except (OSError, ValueError, TypeError):
        ours = {_MARKER}  # an empty folder, or a damaged marker: then keep everything
    return [path for path in old.iterdir() if path.name not in ours]
