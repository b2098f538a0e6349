"""New run folders: their names, their order, and the link to the newest.

A folder's name is when its run began, and names are in the order of the starts whatever the clock
does: where it has gone back, or stands still, a name is a second after the newest that is there.
When a run began by the clock is in its record.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from amlnn.errors import RunFailed, UsageError

__all__ = ['RUN_NAME', 'create_run_folder', 'new_run_name', 'point_latest', 'start_order',
           'utc_now']

RUN_NAME = re.compile(r'(\d{8}T\d{6}Z)-[0-9a-f]{8}(?:-(\d+))?', re.ASCII)
"""A folder as `new_run_name` calls it, and `create_run_folder` where two begin at once."""

_STAMP = '%Y%m%dT%H%M%SZ'


def utc_now() -> str:
    """The time as ISO 8601, to the second."""
    return datetime.now(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')


def new_run_name(config_hash: str, parent: Path) -> str:
    """`<UTC time>-<short hash>`, after the name of every run in `parent`.

    >>> new_run_name('0123456789', Path('work_dirs/none'))[-10:]
    'Z-01234567'
    """
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    newest = max(_starts(parent), default=None)
    if newest is not None and newest >= now:
        now = newest
        with suppress(OverflowError):  # the last second there is: numbers go on from there
            now += timedelta(seconds=1)
    return f'{now.strftime(_STAMP)}-{config_hash[:8]}'


def _starts(parent: Path) -> Iterator[datetime]:
    """When the runs in a folder began, by their names."""
    with suppress(OSError):  # no folder, or none that can be read: said later
        for path in parent.iterdir():
            if found := RUN_NAME.fullmatch(path.name):
                with suppress(ValueError):  # a 13th month
                    yield datetime.strptime(found[1], _STAMP)


def start_order(name: str, started: str = '') -> tuple[str, int, str]:
    """What puts runs in the order in which they began: by their names, which no clock turns round.

    Args:
        name: Of the run's folder.
        started: When it began, as `utc_now` says it; for folders of another name.

    >>> names = ['20260101T000000Z-01234567-10', '20260101T000000Z-01234567-2']
    >>> sorted(names, key=start_order)[0][-2:]
    '-2'
    """
    found = RUN_NAME.fullmatch(name)
    if not found:
        return started or name, 1, name
    time = found[1]
    return (f'{time[:4]}-{time[4:6]}-{time[6:11]}:{time[11:13]}:{time[13:]}', int(found[2] or 1),
            name)


def create_run_folder(parent: Path, name: str) -> Path:
    """Create a folder that no other run has, adding a number where the name is taken."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1000):
            folder = parent / (name if number == 1 else f'{name}-{number}')
            try:
                folder.mkdir()
            except FileExistsError:  # started in the same second
                continue
            return folder
    except OSError as error:
        raise UsageError(f'`{parent}` cannot hold runs: {error.strerror or error}',
                         hint='another folder: --work-dir D') from None
    raise RunFailed(f'`{parent}` has a thousand runs named {name}')


def point_latest(folder: Path) -> None:
    """Make `latest` beside a run folder point to it."""
    link = folder.parent / 'latest'
    temporary = folder.parent / f'.latest.{os.getpid()}'
    temporary.unlink(missing_ok=True)
    try:
        temporary.symlink_to(folder.name)
        os.replace(temporary, link)
    except OSError:  # a disk without symbolic links, or a folder of that name
        temporary.unlink(missing_ok=True)
