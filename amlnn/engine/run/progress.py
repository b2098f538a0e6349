"""What a training shows: one rich bar on a terminal, one line an epoch everywhere."""

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from amlnn.console import say
from amlnn.records import EpochRecord, RunRecord

__all__ = ['TrainingProgress', 'duration']

_SMOOTHING = 0.9
_SECONDS_BETWEEN_UPDATES = 0.1


def duration(seconds: float) -> str:
    """Seconds as a clock shows them.

    >>> duration(75), duration(3725)
    ('1:15', '1:02:05')
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02d}:{seconds:02d}' if hours else f'{minutes}:{seconds:02d}'


class TrainingProgress:
    """Shows loss, top-1, images per second and the time left.

    Args:
        console: Where to.
        unit: What a sample is called.
        digits: Decimals of a metric.
    """

    def __init__(self, console: Console, unit: str = 'img', digits: int = 2):
        self.console = console
        self.unit = unit
        self.digits = digits
        self._progress = Progress(
            TextColumn('epoch {task.fields[epoch]}/{task.fields[epochs]}'), BarColumn(None),
            TextColumn('{task.percentage:>3.0f}%  {task.fields[values]}'), console=console,
            disable=not console.is_terminal, transient=True)
        self._task = None
        self._seconds: list[float] = []

    def start(self, epochs: int, iterations: int, done: int) -> None:
        """Begin a training of `epochs` epochs of which `done` are behind it."""
        self._epochs, self._iterations, self._done = epochs, iterations, done
        self._task = self._progress.add_task('', total=iterations, epoch=done + 1, epochs=epochs,
                                             values='')
        self._progress.start()

    def begin_epoch(self, epoch: int) -> None:
        """Set the bar back."""
        self._epoch, self._begin, self._images, self._iteration = epoch, time.perf_counter(), 0, 0
        self._loss = self._top1 = None
        self._shown = 0.0
        self._progress.reset(self._task, total=self._iterations, epoch=epoch, values='')

    def iteration(self, images: int, outputs: dict) -> None:
        """Advance by one batch."""
        self._images += images
        self._iteration += 1
        now = time.perf_counter()
        # An iteration of a small network takes less time than showing it.
        if self._progress.disable or (now < self._shown + _SECONDS_BETWEEN_UPDATES
                                      and self._iteration < self._iterations):
            return
        self._shown = now
        self._loss = _smooth(self._loss, float(outputs['loss'].detach()))
        if 'accuracy_top-1' in outputs:
            self._top1 = _smooth(self._top1, float(outputs['accuracy_top-1']))
        elapsed = now - self._begin
        rate = self._images / elapsed
        left = elapsed / self._iteration * (self._iterations - self._iteration)
        left += self._epoch_seconds(elapsed) * (self._epochs - self._epoch)
        top1 = f'  top-1 {self._top1:.1f}' if self._top1 is not None else ''
        self._progress.update(
            self._task, completed=self._iteration,
            values=f'loss {self._loss:.3f}{top1}  {rate:.1f} {self.unit}/s  '
            f'{duration(left)} left')

    def validating(self, images: int) -> None:
        """Show that validation is under way."""
        if self._task is not None and not self._progress.disable:
            self._progress.update(self._task, values='validating')

    def end_epoch(self, epoch: EpochRecord, record: RunRecord) -> None:
        """Print the epoch's line."""
        self._seconds.append(epoch.seconds)
        parts = [f'epoch {epoch.epoch:>{len(str(self._epochs))}}/{self._epochs}',
                 f'loss {epoch.train_loss:.4f}']
        if epoch.val_loss is not None:
            parts.append(f'val_loss {epoch.val_loss:.4f}')
        for name, value in epoch.metrics.items():
            shown = {'accuracy/top1': 'top-1', 'accuracy/top5': 'top-5'}.get(name, name)
            parts.append(f'{shown} {value:.{self.digits}f}')
        parts += [f'{epoch.samples_per_second:.1f} {self.unit}/s', f'{epoch.seconds:.1f} s']
        left = (self._epochs - epoch.epoch) * self._epoch_seconds(0.0)
        if left:
            parts.append(f'{duration(left)} left')
        best = '  * best' if record.best_epoch == epoch.epoch else ''
        say(self.console, '  '.join(parts) + best)

    def stop(self) -> None:
        """Take the bar away."""
        self._progress.stop()

    def _epoch_seconds(self, otherwise: float) -> float:
        recent = sorted(self._seconds[-5:])
        return recent[(len(recent) - 1) // 2] if recent else otherwise


def _smooth(old: float | None, new: float) -> float:
    return new if old is None else _SMOOTHING * old + (1 - _SMOOTHING) * new
