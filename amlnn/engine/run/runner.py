"""MMEngine's Runner, writing into a run folder of this project."""

import itertools
import logging
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner
from mmengine.visualization import Visualizer
from torch import nn

from amlnn.config.resolved import config_hash, resolved_text
from amlnn.console import say
from amlnn.engine.processes import processes
from amlnn.engine.run.checkpoint import read_checkpoint
from amlnn.engine.run.hooks import RunCheckpointHook
from amlnn.engine.run.loops import EpochTrainLoop, EvaluationLoop
from amlnn.engine.run.partial import generator_states, set_generators
from amlnn.engine.run.publish import Publisher
from amlnn.engine.run.remembered import (
    catch_up,
    changed,
    plain_state,
    scheduler_changes,
    take_up,
)
from amlnn.engine.run.shared_steps import SharedSteps
from amlnn.engine.run.taking_up import taking_up
from amlnn.records import present_names
from amlnn.registry import VALIDATION_LOSS
from amlnn.signals import signals_wait

__all__ = ['FolderRunner']

# MMEngine keeps loggers and message hubs for ever, by name; a run and its continuation in one
# process must not meet.
_COUNTER = itertools.count()

# Hooks of every training: MMEngine's know nothing that a resume needs, ours say it themselves.
_USUAL_HOOKS = ('DistSamplerSeedHook', 'EpochHook', 'FiniteLossHook', 'IterTimerHook', 'LoggerHook',
                'ParamSchedulerHook', 'RunCheckpointHook', 'RunEarlyStoppingHook',
                'RuntimeInfoHook', 'SyncBuffersHook')


class FolderRunner(Runner):
    """A Runner whose files are those of a run folder.

    Args:
        folder: The run folder.
        recorder: Recorder of the run.
        epoch_hook: EpochHook of the run.
        progress: TrainingProgress of the run.
        loaded_config: The whole resolved config, amlnn's own keys included.
        task: The Task that is trained.
        trunk_path: The fast path, or None.
        kwargs: Arguments of MMEngine's Runner.
    """

    def __init__(self, folder: Path, recorder, epoch_hook, progress, loaded_config, task,
                 trunk_path=None, **kwargs):
        self.folder = folder
        self.recorder = recorder
        self.epoch_hook = epoch_hook
        self.progress = progress
        self.loaded_config = loaded_config
        self.task = task
        self.trunk_path = trunk_path
        self.processes = processes()
        self.shared = SharedSteps(self.processes)
        self.publisher = Publisher(folder)
        self.paused = False
        self._acting: dict[str, list] = {}
        self._saved_at = time.monotonic()
        name = loaded_config.get('experiment_name') or folder.name
        super().__init__(work_dir=str(folder), experiment_name=f'{name}-{next(_COUNTER)}', **kwargs)

    # MMEngine would open a second folder, named by its start, inside this one.
    @property
    def _log_dir(self) -> str:
        return str(self.folder)

    @_log_dir.setter
    def _log_dir(self, value: str) -> None:
        pass

    def dump_config(self) -> None:
        """config.py is already in the folder, written whole."""

    def build_logger(self, log_level: int | str = 'INFO', log_file: str | None = None, **kwargs):
        """MMEngine's page of environment, hooks and iterations goes to train.log."""
        logger = MMLogger.get_instance(
            self._experiment_name, log_level=log_level, log_file=str(self.folder / 'train.log'),
            file_mode='a', distributed=self.distributed)
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:
                handler.setLevel(logging.ERROR)
        return logger

    def _log_env(self, env_cfg: dict) -> None:
        """MMEngine asks compilers for their versions, for seconds; run.json has what matters.

        Where there is no compiler, the shell would say so in the middle of a run.
        """

    def call_hook(self, fn_name: str, **kwargs) -> None:
        """Call the hooks that do something there.

        MMEngine calls the empty methods of all the others too, in every iteration.
        """
        if fn_name not in self._acting:
            self._acting[fn_name] = [
                getattr(hook, fn_name) for hook in self._hooks if hasattr(hook, fn_name)
                and (fn_name not in Hook.stages or fn_name in hook.get_triggered_stages())]
        for call in self._acting[fn_name]:
            call(self, **kwargs)

    def register_hook(self, hook, priority=None) -> None:
        """Add a hook."""
        self._acting.clear()
        super().register_hook(hook, priority)

    def close(self) -> None:
        """Close train.log. The logger stays MMEngine's current one, and says no more."""
        for handler in self.logger.handlers:
            if isinstance(handler, logging.FileHandler):
                handler.close()
        self.logger.handlers.clear()

    def build_visualizer(self, visualizer=None):
        """Without a config's own backends nothing is drawn; scalars.jsonl holds the numbers."""
        backends = [backend for backend in (visualizer or {}).get('vis_backends') or []
                    if backend['type'] != 'LocalVisBackend']
        if not backends:
            return Visualizer.get_instance(self._experiment_name)
        return super().build_visualizer({**visualizer, 'vis_backends': backends})

    def scale_lr(self, optim_wrapper, auto_scale_lr=None) -> None:
        """Scale the learning rate by the batch size, whatever loader gives the batches."""
        loader = self._train_dataloader
        self._train_dataloader = self.task.plan.config['train_dataloader']
        try:
            super().scale_lr(optim_wrapper, auto_scale_lr)
        finally:
            self._train_dataloader = loader

    def wrap_model(self, model_wrapper_cfg, model: nn.Module) -> nn.Module:
        """Nothing is wrapped: processes share gradients, not forward passes (SharedSteps)."""
        # Of one process MMEngine makes SyncBN to BN.
        return model if self.processes.several else super().wrap_model(model_wrapper_cfg, model)

    def build_optim_wrapper(self, optim_wrapper):
        """The optimizer wrapper, which steps with the gradients of all processes."""
        with self.task.staging.all_open(self.model):
            built = super().build_optim_wrapper(optim_wrapper)
        self.shared.share(built)
        return built

    def _init_model_weights(self) -> None:
        """The weights are in place before the runner is made."""

    def build_train_loop(self, loop):
        """Training is an EpochTrainLoop."""
        if not isinstance(loop, dict):
            return loop
        arguments = {key: value for key, value in loop.items() if key not in ('by_epoch', 'type')}
        if self.trunk_path is not None:
            return self.trunk_path.train_loop(self, self._train_dataloader, **arguments)
        return EpochTrainLoop(self, self._train_dataloader, **arguments)

    def build_val_loop(self, loop):
        """Validation is an EvaluationLoop, whatever the config calls it."""
        if isinstance(loop, EvaluationLoop):
            return loop
        return EvaluationLoop(self.task.evaluate, self.progress.validating,
                              self.trunk_path and self.trunk_path.predict, runner=self,
                              dataloader=self._val_dataloader, evaluator=self._val_evaluator)

    def end_epoch(self, metrics: dict) -> None:
        """Record an epoch, then let hooks save it."""
        record = self.epoch_hook.after_epoch_metrics(self, metrics)
        if metrics:
            record.arrays = self.val_loop.last.arrays
        improved = self.recorder.add_epoch(record, self.epoch_hook.samples)
        self.call_hook('after_epoch', improved=improved)
        with signals_wait():
            if self._saving and self.processes.first:
                self._saving.save(self, improved)
            self.recorder.write()
        self._saved_at = time.monotonic()
        self.recorder.draw_now_and_then()
        self.progress.end_epoch(record, self.recorder.record)

    @property
    def _saving(self) -> RunCheckpointHook | None:
        return next((hook for hook in self._hooks if isinstance(hook, RunCheckpointHook)), None)

    def keep_predictions(self, path: Path) -> None:
        """Write the predictions of the validation that was the best so far."""
        self.task.write_predictions(path, self.val_loop.last)

    def renew_predictions(self) -> None:
        """Ask the best weights again, where a stop or a damaged file cost their predictions."""
        best = self.publisher.best
        if not self.processes.from_first(self.publisher.predictions_due and best.is_file()) \
                or self.val_loop is None:
            return
        model = getattr(self.model, 'module', self.model)
        model.load_state_dict(self.processes.from_first(
            read_checkpoint(best)['state_dict'] if self.processes.first else None))
        loop = self.val_loop
        evaluation = self.task.evaluate(self.model, loop.dataloader, loop.evaluator,
                                        forward=loop.forward)
        if self.processes.first:
            self.task.write_predictions(self.folder / 'predictions_val.npz', evaluation)

    def is_worth_saving(self) -> bool:
        """Whether the epoch that is being trained is to be saved in the middle."""
        saving = self._saving
        return saving is not None and not self.processes.several \
            and time.monotonic() - self._saved_at > saving.save_within

    def save_part(self, batches: int) -> None:
        """Write a checkpoint within an epoch.

        Args:
            batches: How many of it are trained.
        """
        with signals_wait():
            self.recorder.keep_scalars()
            checkpoint = self.make_checkpoint()
            checkpoint['part'] = {'batches': batches, 'epoch': self.epoch_hook.part(),
                                  'random': generator_states()}
            self.publisher.checkpoints.write(checkpoint)
            self.publisher.checkpoints.tidy()
        self._saved_at = time.monotonic()

    def take_up_part(self, part: dict) -> int:
        """Go on within an epoch that has just begun; how many batches of it are trained."""
        for name, hook in self._own_hooks():  # they have seen it begin before
            take_up(hook, part['own_hooks'].get(name, {}))
        self.epoch_hook.take_up_part(part['epoch'])
        set_generators(part['random'])
        return part['batches']

    def make_checkpoint(self) -> dict:
        """What resuming exactly needs, of tensors and plain values."""
        model = getattr(self.model, 'module', self.model)
        record = self.recorder.record
        checkpoint = {
            'meta': {
                'epoch': self.epoch, 'iter': self.iter, 'seed': self.seed,
                'experiment_name': self.experiment_name, 'versions': record.versions,
                'config_name': record.config_name, 'config_hash': config_hash(self.loaded_config),
                'cfg': resolved_text(self.loaded_config),
                'dataset_meta': {'classes': list(record.classes)},
                'stopped': self.train_loop.stop_training and not self.paused,
                'run': self.recorder.facts(),
                'data_manifest_hash': record.data_manifest_hash},
            'state_dict': {name: value.detach().cpu() for name, value in
                           model.state_dict().items()},
            'optimizer': self.optim_wrapper.state_dict(),
            'param_schedulers': [
                changed(built, plain_state(scheduler)) for built, scheduler
                in zip(self._built_schedulers, self._schedulers(), strict=True)],
            'own_hooks': {name: changed(self._built_hooks[name], plain_state(hook))
                          for name, hook in self._own_hooks()},
            'gradients': self._waiting_gradients(model),
            'hooks': {},
            'record': self.recorder.state(),
            'predictions': self.publisher.predictions,
        }
        self.call_hook('before_save_checkpoint', checkpoint=checkpoint)
        return checkpoint

    def restore(self, checkpoint: dict) -> None:
        """Take up a training where `make_checkpoint` left it. Loops and optimizer are built.

        What was built follows the config of now, which may train for longer: only what has changed
        since the first run was built comes from the checkpoint.
        """
        with taking_up(self.folder):
            self._take_up(checkpoint)
        self.train_loop.taken_up = True
        wrong = self.recorder.rewind(**present_names(checkpoint['record']))
        self._settle(checkpoint, [wrong] if wrong else [])
        epochs = self.recorder.record.epochs
        metrics = {**epochs[-1].metrics, VALIDATION_LOSS: epochs[-1].val_loss} if epochs else {}
        for scheduler in self._schedulers():
            catch_up(scheduler, metrics)

    def _take_up(self, checkpoint: dict) -> None:
        """Give every part the state that it had."""
        self._resume = True  # by this EMAHook tells a resume from other weights
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        model = getattr(self.model, 'module', self.model)
        model.load_state_dict(checkpoint['state_dict'])
        self.optim_wrapper.load_state_dict(checkpoint['optimizer'])
        for scheduler, state in zip(self._schedulers(), _flat(checkpoint['param_schedulers']),
                                    strict=True):
            take_up(scheduler, scheduler_changes(state))
        for name, hook in self._own_hooks():
            take_up(hook, checkpoint.get('own_hooks', {}).get(name, {}))
        waiting = checkpoint.get('gradients', {})
        for name, parameter in model.named_parameters():
            if name in waiting:
                parameter.grad = waiting[name].to(parameter.device)
        self.train_loop._epoch = checkpoint['meta']['epoch']
        self.train_loop._iter = checkpoint['meta']['iter']
        self.train_loop.stop_training = checkpoint['meta'].get('stopped', False)
        if 'part' in checkpoint:
            self.train_loop.part = {**checkpoint['part'], 'own_hooks': checkpoint['own_hooks']}

    def _settle(self, checkpoint: dict, notes: list[str]) -> None:
        """Bring the folder in step with the checkpoint, and tell what was lost."""
        if not self.processes.first:
            return
        saving = self._saving
        with signals_wait():
            notes = notes + self.publisher.settle(
                self.recorder, checkpoint, saving is not None and saving.save_best is not None)
            self.recorder.write()
        for note in notes:
            say(self.progress.console, note, 'warning')

    def load_or_resume(self) -> None:
        """Called by MMEngine once everything is built and before the first epoch."""
        self._built_schedulers = [plain_state(each) for each in self._schedulers()]
        self._built_hooks = {name: plain_state(hook) for name, hook in self._own_hooks()}
        if self._load_from is not None:
            self.restore(self._load_from)
            self._load_from = None

    def _schedulers(self) -> list:
        return _flat(self.param_schedulers)

    def _own_hooks(self) -> Iterator[tuple[str, Hook]]:
        """The hooks that a config adds, each with a name of its own."""
        counts: Counter[str] = Counter()
        for hook in self._hooks:
            name = type(hook).__name__
            if name not in _USUAL_HOOKS:
                counts[name] += 1
                yield f'{name}-{counts[name]}', hook

    def _waiting_gradients(self, model: nn.Module) -> dict:
        """Gradients that an optimizer wrapper accumulates over the end of an epoch."""
        wrappers = self.optim_wrapper.values() if isinstance(self.optim_wrapper, OptimWrapperDict) \
            else [self.optim_wrapper]
        if all(getattr(wrapper, '_accumulative_counts', 1) == 1 for wrapper in wrappers):
            return {}
        return {name: parameter.grad.cpu() for name, parameter in model.named_parameters()
                if parameter.grad is not None}


def _flat(schedulers) -> list:
    """Schedulers, or their states, of one optimizer or of several, one behind the other."""
    if isinstance(schedulers, dict):
        return [each for group in schedulers.values() for each in group]
    return list(schedulers or [])
