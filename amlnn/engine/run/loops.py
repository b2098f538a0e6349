"""The loops of a training: MMEngine's, with what exact runs need of them."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from mmengine.runner import EpochBasedTrainLoop, ValLoop

from amlnn.engine.run.partial import StepStop, skip_batches
from amlnn.engine.run.taking_up import taking_up
from amlnn.engine.workers import start_workers
from amlnn.registry import VALIDATION_LOSS

__all__ = ['EpochTrainLoop', 'EvaluationLoop']


class EpochTrainLoop(EpochBasedTrainLoop):
    """MMEngine's loop with one more hook, `after_epoch`, behind training and validation.

    MMEngine saves after training and before validation, so a checkpoint cannot know its own score.

    Attributes:
        samples: Of the step that is being taken, over all processes.
        part: Of an epoch that was stopped in the middle, what a checkpoint held of it.
        taken_up: Whether the next step is the first with the states of a checkpoint.
    """

    part: dict | None = None
    taken_up = False

    def run(self) -> torch.nn.Module:
        """Train to the last epoch or until a hook stops it."""
        self.runner.call_hook('before_train')
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self.runner.processes.mean_buffers(self.runner.model)
            self._decide_current_val_interval()
            metrics = {}
            if self.runner.val_loop is not None and self._epoch >= self.val_begin and (
                    self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs):
                metrics = self.runner.val_loop.run()
            self.runner.end_epoch(metrics)
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """One epoch, or the rest of one that was stopped in the middle."""
        runner, part = self.runner, self.part
        self.part = None
        runner.call_hook('before_train_epoch')
        runner.model.train()
        self.prepare_epoch()
        if part:
            skip_batches(self.dataloader, part['batches'])
        batches, done = iter(self.dataloader), 0
        if runner.val_loop is not None:
            start_workers(runner.val_loop.dataloader)
        if part:
            done = runner.take_up_part(part)
        with StepStop(runner.is_worth_saving) as stop:
            for idx, data_batch in enumerate(batches, done):
                self.run_iter(idx, data_batch)
                if stop.asked:
                    runner.save_part(idx + 1)
                    stop.stop()
        if runner.val_loop is not None and runner.is_worth_saving():
            runner.save_part(len(self.dataloader))  # validation may be stopped at once
        runner.call_hook('after_train_epoch')
        self._epoch += 1

    def prepare_epoch(self) -> None:
        """What is done before the batches of an epoch, or of the rest of one."""

    def run_iter(self, idx: int, data_batch: dict) -> None:
        """One step, which several processes take together."""
        runner = self.runner
        with taking_up(runner.folder) if self.taken_up else nullcontext():
            runner.call_hook('before_train_iter', batch_idx=idx, data_batch=data_batch)
            is_repeat = idx + 1 == len(self.dataloader) and getattr(
                self.dataloader.sampler, 'empty_at_end', False)
            self.samples = runner.shared.begin(data_batch, is_repeat)
            outputs = runner.shared.end(self.take_step(data_batch))
        self.taken_up = False
        runner.call_hook('after_train_iter', batch_idx=idx, data_batch=data_batch, outputs=outputs)
        self._iter += 1

    def take_step(self, data_batch: dict) -> dict:
        """Losses of a batch, and what else the model measures, after a step of the optimizer."""
        return self.runner.model.train_step(data_batch, optim_wrapper=self.runner.optim_wrapper)


class EvaluationLoop(ValLoop):
    """MMEngine's validation loop with the loss, and with what was predicted kept.

    Args:
        evaluate: `Task.evaluate` of the task that is trained.
        on_batch: Told the number of samples after each batch.
        forward: As of `Task.evaluate`.
        evaluator: MMEngine's Evaluator, told what its metrics need to know.
        kwargs: Arguments of MMEngine's ValLoop.
    """

    def __init__(self, evaluate: Callable, on_batch: Callable = lambda samples: None,
                 forward: Callable | None = None, *, evaluator, **kwargs):
        known = evaluator.dataset_meta
        super().__init__(evaluator=evaluator, **kwargs)
        evaluator.dataset_meta = known  # MMEngine tells it the data set's metainfo alone
        self._evaluate = evaluate
        self.on_batch = on_batch
        self.forward = forward
        self.last = None

    def run(self) -> dict[str, float]:
        """Validate; the metrics hold the mean loss under VALIDATION_LOSS."""
        self.runner.call_hook('before_val')
        self.runner.call_hook('before_val_epoch')
        self.runner.processes.mean_buffers(self.runner.model)  # a hook may have put in others
        self.last = self._evaluate(self.runner.model, self.dataloader, self.evaluator,
                                   self.on_batch, self.forward)
        metrics = dict(self.last.metrics)
        if self.last.loss is not None:
            metrics[VALIDATION_LOSS] = self.last.loss
        self.runner.call_hook('after_val_epoch', metrics=metrics)
        self.runner.call_hook('after_val')
        return metrics
