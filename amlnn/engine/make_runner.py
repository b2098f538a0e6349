"""The runner of a training, or of its rehearsal."""

from pathlib import Path

from torch import nn

from amlnn.engine.run.hooks import EpochHook, FiniteLossHook
from amlnn.engine.run.progress import TrainingProgress
from amlnn.engine.run.recorder import Recorder
from amlnn.engine.task import Task

__all__ = ['make_runner']


def make_runner(folder: Path, task: Task, model: nn.Module, loaders: dict, stored_config,
                recorder: Recorder, progress: TrainingProgress, path=None, hooks=None):
    """The Runner of a training.

    Args:
        folder: The run folder.
        task: The task.
        model: With its weights, frozen.
        loaders: By part.
        stored_config: As config.py stores it.
        recorder: Of the run.
        progress: Of the run.
        path: The fast path.
        hooks: (default, custom) in place of those of the config.
    """
    config, plan = task.plan.config, task.plan
    log_interval = (config['default_hooks'].get('logger') or {}).get('interval', 20)
    epoch_hook = EpochHook(recorder, progress, plan.seed, log_interval)
    default_hooks, custom_hooks = hooks or (config['default_hooks'],
                                            config.get('custom_hooks') or [])
    finite = [] if hooks else [FiniteLossHook(1 if plan.device == 'cpu' else 20)]
    validation = {}
    if 'val' in loaders:
        validation = dict(
            val_dataloader=loaders['val'],
            val_evaluator=task.evaluator('val', loaders['val']),
            val_cfg={})
    return task.runner_class()(
        folder, recorder, epoch_hook, progress, stored_config, task, path,
        model=model,
        train_dataloader=loaders['train'], train_cfg=config['train_cfg'], **validation,
        optim_wrapper=config.get('optim_wrapper') or {},
        param_scheduler=config.get('param_scheduler'),
        auto_scale_lr=config.get('auto_scale_lr'), default_hooks=default_hooks,
        custom_hooks=[*custom_hooks, epoch_hook, *finite],
        env_cfg=config.get('env_cfg') or dict(dist_cfg=dict(backend='nccl')),
        log_processor=config.get('log_processor'), log_level=config.get('log_level', 'INFO'),
        visualizer=None if hooks else config.get('visualizer'),
        default_scope=config.get('default_scope'),
        randomness={**(config.get('randomness') or {}), 'seed': plan.seed})
