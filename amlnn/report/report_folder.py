"""The folder of a page: it appears whole or not at all, and what others put there is kept."""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from amlnn.errors import DataError
from amlnn.folder_swap import replacing_folder
from amlnn.foreign_texts import parse_json

__all__ = ['PageFolder', 'new_report']


class PageFolder:
    """A folder with a page, and with a marker that tells it from anything else.

    Args:
        out: A folder that does not exist, is empty, or holds an earlier page of the same kind.
    """

    what: ClassVar[str] = 'report'
    swapped: ClassVar[str] = 'report'
    marker: ClassVar[str] = '.amlnn-report.json'

    def __init__(self, out: Path):
        self.out = out

    def noted(self, folder: Path) -> object:
        """What the marker says: names of the files that were written, or a dict by them."""
        return sorted(path.name for path in folder.iterdir())

    @contextmanager
    def new(self) -> Iterator[Path]:
        """An empty folder that becomes `out` on a clean exit.

        Raises:
            DataError: the folder holds something else or cannot be written.
        """
        self.refuse()
        try:
            with replacing_folder(self.out.resolve(), True, lambda names: self.marker in names,
                                  self.swapped, self._of_others) as work:
                new = work / 'new'
                new.mkdir()
                yield new
                text = json.dumps(self.noted(new), indent=1) + '\n'
                (new / self.marker).write_text(text, encoding='utf-8')
        except OSError as error:
            raise DataError(f'the {self.what} cannot be written to `{self.out}`: {error}',
                            hint='choose another folder with --out') from None

    def refuse(self) -> None:
        """Refuse a folder that the page may not be written to.

        Raises:
            DataError: it holds something else.
        """
        out = self.out
        inside = shlex.quote(str(out / self.what))
        if out.exists() and not out.is_dir():
            raise DataError(f'`{out}` is a file', hint='choose a folder with --out')
        if Path.cwd().is_relative_to(out.resolve()):
            # The folder is replaced by renaming: it must not vanish under the one who works in it.
            raise DataError(f'`{out}` is the working folder, or holds it',
                            hint=f'choose a folder inside it: --out {inside}')
        if out.is_dir() and any(out.iterdir()) and not (out / self.marker).is_file():
            raise DataError(f'`{out}` is not empty and holds no earlier {self.what}',
                            hint=f'choose a new folder: --out {inside}')

    def _of_others(self, old: Path) -> list[Path]:
        """What an old page did not write: it moves along."""
        try:
            ours = {*parse_json((old / self.marker).read_text(encoding='utf-8')), self.marker}
        except (OSError, ValueError, TypeError):
            ours = {self.marker}  # an empty folder, or a damaged marker: then keep everything
        return [path for path in old.iterdir() if path.name not in ours]


@contextmanager
def new_report(out: Path) -> Iterator[Path]:
    """An empty folder that becomes that of a report; errors as of `PageFolder.new`."""
    with PageFolder(out).new() as new:
        yield new
