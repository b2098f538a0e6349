"""Keeps run.json and scalars.jsonl of one training."""

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from amlnn.atomic import fsync_path, replacing
from amlnn.foreign_texts import parse_json
from amlnn.records import EpochRecord, RunRecord, present_names, write_record
from amlnn.registry import gain, usual_rule
from amlnn.run_folder import utc_now

__all__ = ['Recorder']

# Redrawing the curves costs a second; a run of many short epochs does not wait for each.
_SECONDS_BETWEEN_DRAWINGS = 20.0


class Recorder:
    """Writes what a run has done so far, whole after every epoch.

    Args:
        folder: The run folder.
        record: What is known at the start.
        draw: Called with the record and a path to draw curves.png, or None.
        writes: Whether anything is written: by one of several processes.
    """

    def __init__(self, folder: Path, record: RunRecord,
                 draw: Callable[[RunRecord, Path], None] | None = None, writes: bool = True):
        self.folder = folder
        self.record = record
        self.writes = writes
        self._draw = draw if writes else None
        self._drawn = -math.inf
        self._scalars = hashlib.sha256()
        self._scalar_bytes = 0

    def write(self) -> None:
        """Write run.json."""
        if self.writes:
            write_record(self.folder / 'run.json', self.record)

    def log_scalars(self, values: dict) -> None:
        """Append one line to scalars.jsonl."""
        if not self.writes:
            return
        line = (json.dumps(values) + '\n').encode()
        with open(self.folder / 'scalars.jsonl', 'ab') as file:
            file.write(line)
        self._scalars.update(line)
        self._scalar_bytes += len(line)

    def rewind(self, epochs: list[dict], total_seconds: float, total_samples: int,
               stopped_early: bool = False, lost_epochs: list[int] | None = None,
               scalars: dict | None = None) -> str:
        """Go back to what a checkpoint knows of (`state`); what came after it is done again.

        Returns:
            What is wrong with scalars.jsonl, in words; '' for nothing.
        """
        self.record.epochs = [EpochRecord(**present_names(epoch)) for epoch in epochs]
        self.record.total_seconds = total_seconds
        self.record.total_samples = total_samples
        self.record.stopped_early = stopped_early
        self.record.lost_epochs = list(lost_epochs or [])
        self._compare_all()
        return self._rewind_scalars(len(epochs), scalars) if self.writes else ''

    def _rewind_scalars(self, epochs: int, known: dict | None) -> str:
        """Cut scalars.jsonl back to where it was; of one that is damaged, keep what can be read."""
        path = self.folder / 'scalars.jsonl'
        content = path.read_bytes() if path.is_file() else b''
        wrong = ''
        if known is not None:
            kept = content[:known['bytes']]
            if hashlib.sha256(kept).hexdigest() != known['sha256']:
                kept = _whole_lines(content, epochs)
                wrong = f'`{path}` was damaged or changed: {kept.count(_NEWLINE)} of its lines ' \
                        'can be read and are kept' if content else f'`{path}` is gone: the lines ' \
                        'of the epochs before are lost'
        else:
            kept = _whole_lines(content, epochs)
        if kept != content:
            with replacing(path) as temporary:
                temporary.write_bytes(kept)
        self._scalars, self._scalar_bytes = hashlib.sha256(kept), len(kept)
        return wrong

    def forget_best(self, epoch: int) -> None:
        """An epoch whose weights are lost cannot be the best one."""
        self.record.lost_epochs.append(epoch)
        self._compare_all()

    def _compare_all(self) -> None:
        self.record.best_epoch = self.record.best_value = None
        for epoch in self.record.epochs:
            self._compare(epoch)

    def state(self) -> dict:
        """What `rewind` needs, of plain values."""
        return {'epochs': [asdict(epoch) for epoch in self.record.epochs],
                'total_seconds': self.record.total_seconds,
                'total_samples': self.record.total_samples,
                'stopped_early': self.record.stopped_early,
                'lost_epochs': list(self.record.lost_epochs),
                'scalars': {'bytes': self._scalar_bytes, 'sha256': self._scalars.hexdigest()}}

    def facts(self) -> dict:
        """What the record says of the run itself, of plain values: all but what grew since."""
        return {name: value for name, value in asdict(self.record).items()
                if name not in ('epochs', 'status', 'error', 'finished')}

    def keep_scalars(self) -> None:
        """Have the disk keep the lines that were written, before a checkpoint relies on them."""
        if self._scalar_bytes:
            fsync_path(self.folder / 'scalars.jsonl')

    def add_epoch(self, epoch: EpochRecord, samples: int) -> bool:
        """Add an epoch, and tell whether it is the best so far."""
        self.record.epochs.append(epoch)
        self.record.total_seconds += epoch.seconds
        self.record.total_samples += samples
        improved = self._compare(epoch)
        for earlier in self.record.epochs[:-1]:  # a confusion matrix an epoch would be too much
            if earlier.epoch != self.record.best_epoch:
                earlier.arrays = {}
        return improved

    def draw_now_and_then(self) -> None:
        """Draw curves.png, unless it has just been drawn."""
        if time.monotonic() - self._drawn > _SECONDS_BETWEEN_DRAWINGS:
            self.draw()

    def draw(self) -> None:
        """Draw curves.png, if there is anything to draw and someone to draw it."""
        if self._draw and self.record.epochs:
            self._draw(self.record, self.folder / 'curves.png')
            self._drawn = time.monotonic()

    def finish(self, status: str, error: str | None = None) -> None:
        """Write the end of the run."""
        self.record.status = status
        self.record.error = error
        self.record.finished = utc_now()
        self.write()
        self.draw()

    def monitored(self, epoch: EpochRecord) -> float | None:
        """The value by which epochs are compared, or None where it is not known."""
        values = {**epoch.metrics, 'val_loss': epoch.val_loss}
        if self.record.monitor is None and epoch.metrics:
            self.record.monitor = next(iter(epoch.metrics))
        return values.get(self.record.monitor)

    def _compare(self, epoch: EpochRecord) -> bool:
        value = self.monitored(epoch)
        if value is None or not math.isfinite(value) or epoch.epoch in self.record.lost_epochs:
            return False
        record = self.record
        if record.monitor_rule is None:
            record.monitor_rule = usual_rule(record.monitor)
        if record.best_value is not None and gain(value, record.best_value,
                                                  record.monitor_rule) <= 0:
            return False
        record.best_value, record.best_epoch = value, epoch.epoch
        return True


_NEWLINE = b'\n'


def _whole_lines(content: bytes, epochs: int) -> bytes:
    """The lines of scalars.jsonl that can be read and are of the first epochs."""
    return b''.join(line + _NEWLINE for line in content.split(_NEWLINE)
                    if _scalar_epoch(line) <= epochs)


def _scalar_epoch(line: bytes) -> float:
    try:
        return parse_json(line)['epoch'] + 0
    except (ValueError, KeyError, TypeError, RecursionError):  # cut off by a crash, or damaged
        return math.inf
