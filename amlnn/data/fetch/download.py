"""`data_preprocess.py --download NAME`: fetch, verify, unpack, verify, and only then put in place.

The archive lies beside the data set's folder: as a part file while it comes, and until it has been
unpacked; or under its own name if the user put it there, in which case no network is needed and
the file is left alone.
"""

import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from amlnn.atomic import fsync_path
from amlnn.command import example_as_called, through_console
from amlnn.console import say
from amlnn.data.fetch.download_progress import ByteProgress
from amlnn.data.fetch.download_table import DATA_SETS, DownloadableSet
from amlnn.data.fetch.fetch import PAUSES, discard_part, fetch
from amlnn.data.fetch.unpack import unpack
from amlnn.errors import DataError, RunFailed, UsageError
from amlnn.folder_swap import locked, replacing_folder
from amlnn.sealed import file_sha256

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ['download']

MIRROR = 'AMLNN_DOWNLOAD_URL'
"""The environment variable with the address of a folder that holds the same files."""


def download(name: str, to: Path | str | None = None, *, overwrite: bool = False,
             console: 'Console | None' = None, timeout: float = 30.0,
             pauses: Sequence[float] = PAUSES) -> Path:
    """Put a data set of `amlnn.data.fetch.download_table` into a folder, whole or not at all.

    Args:
        name: The data set's name in the table.
        to: The folder to put it in; None is the one in the table.
        overwrite: Replace the data set if it is there.
        console: Where to print; None is standard output.
        timeout: Seconds without a byte after which a connection counts as dropped.
        pauses: Seconds before each further try.

    Returns:
        Where the data set is.

    Raises:
        UsageError: there is no such data set, or the mirror is no address.
        DataError: the folder cannot be used, or something else is in it.
        RunFailed: the file could not be fetched, or is not the one that was published.
    """
    from rich.console import Console
    console = console or Console()
    row = DATA_SETS.get(name)
    if row is None:
        near = get_close_matches(name, DATA_SETS, n=1, cutoff=0.5)
        raise UsageError(f'no data set `{name}` to download', hint=(
            f'did you mean `{near[0]}`? ' if near else '') + f'there are {", ".join(DATA_SETS)}')
    if to is not None and not str(to):  # Path('') is the current folder: a variable not set
        raise UsageError('--to is empty', hint='python data_preprocess.py --help')
    folder = Path(row.folder if to is None else to)
    job = _Download(row, _addresses(row), folder, console, timeout, pauses)
    try:
        if not overwrite and _is_there(row, job.target):
            say(console, f'{row.title} is in {job.target} already; --overwrite fetches it again')
        elif row.root:
            job.bring_folder(overwrite)
        else:
            job.bring_file(overwrite)
    except OSError as error:
        where = f'`{error.filename}`: ' if error.filename else ''
        raise DataError(f'{where}{error.strerror or error}',
                        hint='check permissions and free space, then run again') from error
    say(console, f'terms: {row.terms}')
    say(console, f'to cite: {row.citation}')
    following = example_as_called(row.next_command)
    if through_console() and following.startswith('python benchmarks/'):
        following = ''  # a checkout alone has them
    if following and ('{target}' in following or to is None):
        say(console, 'next: ' + following.format(target=shlex.quote(str(job.target))))
    return job.target


def _addresses(row: DownloadableSet) -> tuple[str, ...]:
    mirror = os.environ.get(MIRROR)
    if not mirror:
        return row.urls
    if not mirror.startswith(('http://', 'https://')):
        raise UsageError(f'{MIRROR} `{mirror}` is no address',
                         hint=f'{MIRROR}=https://host/folder, where {row.file} is')
    return (f'{mirror.rstrip("/")}/{row.file}',)


def _is_there(row: DownloadableSet, target: Path) -> bool:
    if not target.exists():
        return False
    if row.root and target.is_dir() and not any(target.iterdir()):
        return False
    wrong = _missing(row, target) if row.root else _difference(row, target)
    if wrong:
        raise DataError(f'`{target}` is not {row.title} as it was published: {wrong}',
                        hint='--overwrite replaces it, --to puts the data set elsewhere')
    return True


@dataclass(frozen=True)
class _Download:
    """One data set on its way."""

    row: DownloadableSet
    urls: tuple[str, ...]
    folder: Path
    console: 'Console'
    timeout: float
    pauses: Sequence[float]

    @property
    def target(self) -> Path:
        return self.folder / self.row.becomes

    def bring_folder(self, overwrite: bool) -> None:
        """Fetch an archive and unpack it."""
        row = self.row
        names = {pattern.split('/')[0] for pattern in [*row.files, *row.lines]}

        def is_data_set(found: set[str]) -> bool:
            return bool(found & names) and all(
                name in names or name.startswith('.') or name.endswith('~') for name in found)

        with replacing_folder(self.target.resolve(), overwrite, is_data_set) as work:
            archive = self._archive()
            (work / 'unpacked').mkdir()
            label = f'unpacking {row.file}'
            with ByteProgress(self.console, label, row.bytes) as progress:
                files = unpack(archive, work / 'unpacked', root=row.root,
                               most_bytes=row.unpacked_bytes, show=progress.show)
            missing = _missing(row, work / 'unpacked' / row.root)
            if missing:
                raise DataError(f'`{archive}` is not complete: {missing}', hint=self._by_hand)
            if hasattr(os, 'sync'):  # one call instead of one for each of 120,000 files
                os.sync()
            (work / 'unpacked' / row.root).rename(work / 'new')
        discard_part(self._part)
        say(self.console, f'{row.title}: {files:,} files in {self.target}')

    def bring_file(self, overwrite: bool) -> None:
        """Fetch a file that is taken as it is."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.target.resolve()):
            self._fetch()
            if self.target.exists() and not overwrite:  # somebody put it there since
                raise DataError(f'`{self.target}` exists', hint='--overwrite replaces it')
            self._part.replace(self.target)
            discard_part(self._part)
            fsync_path(self.folder)
        say(self.console, f'{self.row.title}: {self.row.bytes / 1e6:.1f} MB in {self.target}')

    @property
    def _part(self) -> Path:
        return self.folder / f'{self.row.file}.part'

    @property
    def _by_hand(self) -> str:
        then = 'verifies and unpacks it' if self.row.root else 'verifies it'
        return f'fetch {self.row.urls[0]} on a machine that can, put it at ' \
               f'`{self.folder / self.row.file}`, and run the same command again, which {then}'

    def _archive(self) -> Path:
        """The archive, verified: the one that the user put there, or the fetched part file."""
        given = self.folder / self.row.file
        if not given.is_file():
            self._fetch()
            return self._part
        wrong = _difference(self.row, given)
        if wrong:
            raise DataError(f'`{given}` is not the file that was published: {wrong}',
                            hint='delete it, and run the same command again')
        self._check_space(0)
        say(self.console, f'{given} is there, and nothing is fetched')
        return given

    def _fetch(self) -> None:
        part = self._part
        self._check_space(max(self.row.bytes - (part.stat().st_size if part.is_file() else 0), 0))
        fetch(self.urls, part, self.row.bytes, by_hand=self._by_hand, console=self.console,
              timeout=self.timeout, pauses=self.pauses)
        wrong = _difference(self.row, part)
        if wrong:
            discard_part(part)
            raise RunFailed(f'what came from `{self.urls[0]}` is not the file that was published: '
                            f'{wrong}; it is deleted',
                            hint='run the same command again; if that ends in the same way, '
                                 + self._by_hand)

    def _check_space(self, missing: int) -> None:
        needed, free = missing + self.row.unpacked_bytes, shutil.disk_usage(self.folder).free
        if needed > free:
            raise DataError(f'{needed / 1e6:.0f} MB are needed, the disk of `{self.folder}` has '
                            f'{free / 1e6:.0f} MB',
                            hint='free some space, or name a folder on another disk with --to')


def _missing(row: DownloadableSet, folder: Path) -> str:
    """What the folder of a data set lacks, in words; nothing if it is whole."""
    for name, lines in row.lines.items():
        path = folder / name
        found = len(path.read_bytes().splitlines()) if path.is_file() else 0
        if found != lines:
            return f'{found:,} lines in {name} instead of {lines:,}'
    for pattern, files in row.files.items():
        found = sum(1 for _ in folder.glob(pattern))
        if found != files:
            return f'{found:,} files {pattern} instead of {files:,}'
    return ''


def _difference(row: DownloadableSet, path: Path) -> str:
    """In what a file is not the published one, in words; nothing if it is."""
    size = path.stat().st_size
    if size != row.bytes:
        return f'{size:,} bytes instead of {row.bytes:,}'
    found = file_sha256(path)
    return '' if found == row.sha256 else f'SHA-256 {found} instead of {row.sha256}'
