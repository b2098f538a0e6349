"""What a run that failed tells its user."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from amlnn.engine.memory import is_out_of_memory
from amlnn.engine.run.checkpoint import CheckpointFolder
from amlnn.engine.run.full_disk import disk_failure
from amlnn.errors import RunFailed
from amlnn.records import RunRecord

if TYPE_CHECKING:
    from amlnn.engine.task import Task

__all__ = ['explained']


# What PyTorch says of a worker that is gone.
_WORKER = re.compile(r'DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\) (?:is killed by signal: '
                     r'(?P<signal>[\w ]+)|exited unexpectedly(?: with exit code (?P<code>-?\d+))?)')


def explained(task: 'Task', folder: Path, record: RunRecord, error: BaseException) -> BaseException:
    """An error of the machine in words of its own; any other one as it is.

    Args:
        task: What was trained.
        folder: Its run folder.
        record: Its record.
        error: What was raised.
    """
    files = CheckpointFolder(folder / 'checkpoints').files()
    if lost := _WORKER.search(str(error)):
        return _worker_lost(lost, folder, record)
    if is_out_of_memory(error):
        return _out_of_memory(task, folder, record, error)
    return disk_failure(error, folder, files[-1] if files else None) or error


def _worker_lost(lost: re.Match, folder: Path, record: RunRecord) -> RunFailed:
    done = len(record.epochs)
    end = f'was killed by the system ({lost["signal"].strip()})' if lost['signal'] else \
        f'ended by itself{" with status " + lost["code"] if lost["code"] else ""}'
    room = 'if the folder for shared memory (/dev/shm) is small: fewer workers' \
        if (lost['signal'] or '').startswith('Bus') else \
        'if the machine was short of memory: fewer *_dataloader.num_workers'
    return RunFailed(f'a data-loading worker (pid {lost[1]}) {end} in epoch {done + 1} of '
                     f'{record.max_epochs}; epochs that are done: {done}',
                     hint=f'{room}; go on: add --resume {shlex.quote(str(folder))}')


def _out_of_memory(task: 'Task', folder: Path, record: RunRecord,
                   error: BaseException) -> RunFailed:
    """What to tell about a run that had no memory left in the middle of an epoch."""
    done = len(record.epochs)
    reason = ' '.join(f'{type(error).__name__}: {error}'.split())[:160].strip(': ')
    kept = f'; {done} epoch{"s are" if done > 1 else " is"} done' if done else ''
    if (folder / 'best.pth').is_file():
        kept += f', {folder / "best.pth"} holds epoch {record.best_epoch}'
    size = task.plan.config['train_dataloader'].get('batch_size')
    smaller = f', such as {size // 2} instead of {size}' if size and size > 1 else ''
    return RunFailed(
        f'out of memory in epoch {done + 1} of {record.max_epochs} ({reason}){kept}',
        hint=f'a smaller train_dataloader.batch_size{smaller}; where the machine\'s own memory '
        'is short, fewer num_workers')
