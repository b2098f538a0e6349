"""New run folders: their names, and the link to the newest."""

import os
from datetime import UTC, datetime
from pathlib import Path

from amlnn.errors import RunFailed, UsageError

__all__ = ['create_run_folder', 'new_run_name', 'point_latest', 'utc_now']


def utc_now() -> str:
    """The time as ISO 8601, to the second."""
    return datetime.now(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')


def new_run_name(config_hash: str) -> str:
    """`<UTC time>-<short hash>`; sorts by time."""
    return f'{datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")}-{config_hash[:8]}'


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
