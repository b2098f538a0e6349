"""Keeps run.json and scalars.jsonl of one training."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from amlnn.atomic import write_text
from amlnn.engine.run.folder import utc_now
from amlnn.records import EpochRecord, RunRecord, present_names, write_record
from amlnn.registry import gain, usual_rule

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

    def write(self) -> None:
        """Write run.json."""
        if self.writes:
            write_record(self.folder / 'run.json', self.record)

    def log_scalars(self, values: dict) -> None:
        """Append one line to scalars.jsonl."""
        if not self.writes:
            return
        with open(self.folder / 'scalars.jsonl', 'a', encoding='utf-8') as file:
            file.write(json.dumps(values) + '\n')

    def rewind(self, epochs: list[dict], total_seconds: float, total_samples: int) -> None:
        """Go back to the epochs that a checkpoint knows of; what came after it is done again."""
        self.record.epochs = [EpochRecord(**present_names(epoch)) for epoch in epochs]
        self.record.total_seconds = total_seconds
        self.record.total_samples = total_samples
        self.record.best_epoch = self.record.best_value = None
        for epoch in self.record.epochs:
            self._compare(epoch)
        path = self.folder / 'scalars.jsonl'
        if self.writes and path.is_file():
            lines = [line for line in path.read_text(encoding='utf-8').splitlines()
                     if _scalar_epoch(line) <= len(epochs)]
            write_text(path, ''.join(line + '\n' for line in lines))
        self.write()

    def state(self) -> dict:
        """What `rewind` needs, of plain values."""
        return {'epochs': [asdict(epoch) for epoch in self.record.epochs],
                'total_seconds': self.record.total_seconds,
                'total_samples': self.record.total_samples}

    def add_epoch(self, epoch: EpochRecord, samples: int) -> bool:
        """Add an epoch, write, and tell whether it is the best so far."""
        self.record.epochs.append(epoch)
        self.record.total_seconds += epoch.seconds
        self.record.total_samples += samples
        improved = self._compare(epoch)
        for earlier in self.record.epochs[:-1]:  # a confusion matrix an epoch would be too much
            if earlier.epoch != self.record.best_epoch:
                earlier.arrays = {}
        self.write()
        if time.monotonic() - self._drawn > _SECONDS_BETWEEN_DRAWINGS:
            self.draw()
        return improved

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
        if value is None or not math.isfinite(value):
            return False
        record = self.record
        if record.monitor_rule is None:
            record.monitor_rule = usual_rule(record.monitor)
        if record.best_value is not None and gain(value, record.best_value,
                                                  record.monitor_rule) <= 0:
            return False
        record.best_value, record.best_epoch = value, epoch.epoch
        return True


def _scalar_epoch(line: str) -> float:
    try:
        return json.loads(line)['epoch']
    except (json.JSONDecodeError, KeyError, TypeError):  # cut off by a crash
        return math.inf
