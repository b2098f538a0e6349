"""Hooks that config files name, and those that every training has."""

import math
import time
from collections.abc import Callable

import torch
from mmengine.hooks import EarlyStoppingHook, Hook
from mmengine.registry import HOOKS

from amlnn.engine.run.checkpoint import CheckpointFolder
from amlnn.engine.run.partial import seconds_of
from amlnn.engine.seeding import seed_epoch
from amlnn.errors import ConfigError, RunFailed
from amlnn.records import EpochRecord
from amlnn.registry import VALIDATION_LOSS, gain, usual_rule

__all__ = ['AskingHook', 'EpochHook', 'FiniteLossHook', 'RunCheckpointHook', 'RunEarlyStoppingHook']


@HOOKS.register_module()
class RunCheckpointHook(Hook):
    """Writes checkpoints/epoch_NNNN.pth after validation, and best.pth.

    MMEngine's CheckpointHook writes in place, before validation, and keeps no manifest.

    Args:
        interval: Epochs between checkpoints; the last epoch always has one, so has the best.
        save_best: The metric that chooses best.pth, 'val_loss', or 'auto' for the first metric.
        rule: 'greater' or 'less'; None goes by the metric's name.
        save_within: Ctrl-C and SIGTERM lose at most so much of an epoch: one that was trained for
            longer is saved in the middle. '60s', '5min', '1h', or seconds.
    """

    priority = 'VERY_LOW'
    stands_for = ('CheckpointHook', ('interval', 'save_best', 'rule'))

    def __init__(self, interval: int = 1, save_best: str | None = 'auto', rule: str | None = None,
                 save_within: str | float = '60s'):
        if rule not in (None, 'greater', 'less'):
            raise ConfigError(f"`default_hooks.checkpoint.rule` is '{rule}'",
                              hint="'greater', 'less' or None")
        try:
            self.save_within = seconds_of(save_within)
        except ValueError:
            raise ConfigError(f'`default_hooks.checkpoint.save_within` is {save_within!r}',
                              hint="a time: '60s', '5min', '1h', or a number of seconds") from None
        self.interval = interval
        self.save_best = save_best
        self.rule = rule

    def before_train(self, runner) -> None:
        record = runner.recorder.record
        record.monitor = None if self.save_best in ('auto', None) else self.save_best
        record.monitor_rule = self.rule
        if self.save_best is None:
            record.monitor_rule = None

    def save(self, runner, improved: bool) -> None:
        """Publish an epoch, if it is one that is saved."""
        epoch, loop = runner.epoch, runner.train_loop
        last = epoch >= loop.max_epochs or loop.stop_training
        improved = improved and self.save_best is not None
        if improved or last or epoch % self.interval == 0:
            runner.publisher.publish(runner, improved)


@HOOKS.register_module()
class RunEarlyStoppingHook(EarlyStoppingHook):
    """Stops a training that no longer improves, also across a resume.

    MMEngine's hook demands an improvement of 0.1 and forgets its patience in a resumed run.

    Args:
        monitor: A metric, or 'val_loss'.
        patience: Epochs without an improvement after which training stops; only validated epochs
            count.
        rule: 'greater' or 'less'; None goes by the metric's name.
        min_delta: Least change that counts as an improvement.
    """

    stands_for = ('EarlyStoppingHook', ('monitor', 'patience', 'rule', 'min_delta'))

    def __init__(self, monitor: str = VALIDATION_LOSS, patience: int = 5, rule: str | None = None,
                 min_delta: float = 0.0):
        rule = rule or usual_rule(monitor)
        super().__init__(monitor=monitor, rule=rule, min_delta=min_delta, patience=patience)

    def _check_stop_condition(self, current_score: float) -> tuple[bool, str]:
        # With min_delta=0 MMEngine counts an equal score as an improvement; a plateau is none.
        if gain(current_score, self.best_score, self.rule) > abs(self.min_delta):
            self.best_score, self.wait_count = current_score, 0
            return False, ''
        self.wait_count += 1
        return self.wait_count >= self.patience, (
            f'{self.monitor} is not better than {self.best_score:.4g} for {self.wait_count} epochs')

    def after_val_epoch(self, runner, metrics: dict) -> None:
        super().after_val_epoch(runner, metrics)
        if runner.train_loop.stop_training:
            runner.recorder.record.stopped_early = True

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        checkpoint['hooks']['early_stopping'] = {
            'best_score': float(self.best_score), 'wait_count': self.wait_count}

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        state = checkpoint.get('hooks', {}).get('early_stopping')
        if state:
            self.best_score, self.wait_count = state['best_score'], state['wait_count']


class FiniteLossHook(Hook):
    """Ends a run whose loss is NaN or infinite, before that epoch can be saved or called best.

    Args:
        interval: Iterations between looks at the loss; reading it waits for an accelerator.
    """

    priority = 'VERY_HIGH'

    def __init__(self, interval: int = 1):
        self.interval = interval
        self._sum = None

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        loss = outputs['loss'].detach()
        self._sum = loss if self._sum is None else self._sum + loss  # NaN and infinity stay
        last = batch_idx + 1 == len(runner.train_dataloader)
        if (batch_idx + 1) % self.interval == 0 or last:
            value, self._sum = float(self._sum), None
            self._check(runner, value, 'training', f', iteration {batch_idx + 1}')

    def after_val_epoch(self, runner, metrics: dict) -> None:
        self._check(runner, metrics.get(VALIDATION_LOSS, 0.0), 'validation', '')

    def _check(self, runner, value: float, part: str, place: str) -> None:
        if math.isfinite(value):
            return
        epoch = runner.epoch + (part == 'training')
        kept = CheckpointFolder(runner.folder / 'checkpoints').files()
        good = f'; the last good checkpoint is {kept[-1]}' if kept else ''
        raise RunFailed(
            f'the {part} loss is {value} in epoch {epoch}{place}{good}',
            hint='lower optim_wrapper.optimizer.lr, or set optim_wrapper.clip_grad.max_norm=1')


class AskingHook(Hook):
    """Asks after every epoch whether to go on.

    Args:
        ask: Told the epoch; gives a word where the run is to end.
    """

    # Before the checkpoint, which is written for the last epoch whatever its interval.
    priority = 'NORMAL'

    def __init__(self, ask: Callable[[EpochRecord], str | None]):
        self.ask = ask
        self.word: str | None = None

    def after_epoch(self, runner, improved: bool) -> None:
        self.word = self.ask(runner.recorder.record.epochs[-1])
        if self.word:
            runner.train_loop.stop_training = runner.paused = True


class EpochHook(Hook):
    """Times every epoch, keeps its mean loss, and tells recorder and progress display.

    Args:
        recorder: Writes run.json and scalars.jsonl.
        progress: A TrainingProgress.
        seed: Seed of the run.
        log_interval: Iterations between lines of scalars.jsonl.
    """

    priority = 'HIGH'

    def __init__(self, recorder, progress, seed: int, log_interval: int):
        self.recorder = recorder
        self.progress = progress
        self.seed = seed
        self.log_interval = log_interval

    def before_train(self, runner) -> None:
        self.progress.start(runner.max_epochs, len(runner.train_dataloader), runner.epoch)

    def before_train_epoch(self, runner) -> None:
        seed_epoch(self.seed, runner.epoch, runner.rank)
        sampler = runner.train_dataloader.sampler
        if hasattr(sampler, 'set_epoch'):
            sampler.set_epoch(runner.epoch)
        self._begin = time.perf_counter()
        self._samples = 0
        self._losses: list[tuple[torch.Tensor, int]] = []
        self._train_seconds = None
        self.progress.begin_epoch(runner.epoch + 1)

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        count = runner.train_loop.samples
        self._samples += count
        self._losses.append((outputs['loss'].detach(), count))
        done = batch_idx + 1
        if done % self.log_interval == 0 or done == len(runner.train_dataloader):
            rate = self._samples / (time.perf_counter() - self._begin)
            values = {name: float(value.detach()) for name, value in outputs.items()
                      if isinstance(value, torch.Tensor) and value.numel() == 1}
            self.recorder.log_scalars({
                'epoch': runner.epoch + 1, 'iteration': runner.iter + 1, **values,
                'lr': _learning_rate(runner), 'samples_per_second': round(rate, 2)})
        self.progress.iteration(count, outputs)

    def after_train_epoch(self, runner) -> None:
        self._train_seconds = time.perf_counter() - self._begin
        self._lr = _learning_rate(runner)  # before the scheduler takes its step

    def after_epoch_metrics(self, runner, metrics: dict) -> EpochRecord:
        """The record of the epoch that has just been trained and, where due, validated."""
        seconds = time.perf_counter() - self._begin
        total = sum(count for _, count in self._losses)
        mean = sum(float(loss) * count for loss, count in self._losses) / total
        metrics = dict(metrics)
        return EpochRecord(
            epoch=runner.epoch, iteration=runner.iter, train_loss=mean,
            val_loss=metrics.pop(VALIDATION_LOSS, None), metrics=metrics, learning_rate=self._lr,
            seconds=round(seconds, 3), train_seconds=round(self._train_seconds, 3),
            val_seconds=round(seconds - self._train_seconds, 3),
            samples_per_second=round(self._samples / self._train_seconds, 2),
            threads=torch.get_num_threads(), frozen=runner.task.staging.frozen_parts(runner.model))

    @property
    def samples(self) -> int:
        """Training samples of the epoch."""
        return self._samples

    @property
    def seconds(self) -> float:
        """How long the epoch has been trained, earlier parts of it included."""
        return time.perf_counter() - self._begin

    def part(self) -> dict:
        """What the rest of the epoch needs to know of this part, of plain values."""
        return {'samples': self._samples, 'seconds': self.seconds,
                'losses': [(loss.cpu(), count) for loss, count in self._losses]}

    def take_up_part(self, part: dict) -> None:
        """Go on where `part` was."""
        self._samples = part['samples']
        self._begin -= part['seconds']
        self._losses = [(loss, count) for loss, count in part['losses']]


def _learning_rate(runner) -> float:
    rates = runner.optim_wrapper.get_lr()
    return float(next(iter(rates.values()))[0])
