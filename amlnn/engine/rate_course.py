"""Which learning rate every parameter has, from the first step of a training to the last.

Optimizer and schedulers are the ones that a training builds, and the schedulers take their steps
when they would; nothing is trained.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mmengine.optim import OptimWrapperDict
from rich.console import Console
from torch import nn

from amlnn.browsed import RateCourse
from amlnn.config.structure import DEFAULT_HOOKS
from amlnn.engine.make_runner import make_runner
from amlnn.engine.new_record import count_samples, new_record
from amlnn.engine.rehearsal import as_config_error, kept_generators
from amlnn.engine.run.progress import TrainingProgress
from amlnn.engine.run.recorder import Recorder
from amlnn.engine.task import Task

__all__ = ['rate_courses']

_MOMENTS = 20  # of an epoch, at most


def rate_courses(task: Task, model: nn.Module, loader) -> tuple[list[RateCourse], list[str]]:
    """Rates over the epochs of a training, and notes about what only a training knows.

    Args:
        task: The task.
        model: Built and frozen; stays as it is.
        loader: Of the training part.

    Raises:
        ConfigError: optimizer or schedulers cannot be built.
    """
    stored = task.plan.effective_config()
    hooks = (dict.fromkeys(DEFAULT_HOOKS), [])
    with tempfile.TemporaryDirectory(prefix='amlnn-rates-') as name, kept_generators(), \
            as_config_error('building the optimizer and its schedule'):
        folder = Path(name)
        record = new_record(task, stored, model, count_samples({'train': loader}), [])
        runner = make_runner(folder, task, model, {'train': loader}, stored,
                             Recorder(folder, record), TrainingProgress(Console(quiet=True)),
                             hooks=hooks)
        runner._train_loop = runner.build_train_loop(runner._train_loop)
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        runner.scale_lr(runner.optim_wrapper, runner.auto_scale_lr)
        schedulers = runner.param_schedulers
        if schedulers is not None:
            runner.param_schedulers = runner.build_param_scheduler(schedulers)
        groups = _groups(runner.optim_wrapper)
        moments, rates_SG, notes = _simulated(runner, groups)
        runner.close()
    with task.staging.all_open(model):
        return _courses(task, model, groups, moments, rates_SG), notes


def _groups(wrapper) -> list[dict]:
    wrappers = list(wrapper.values()) if isinstance(wrapper, OptimWrapperDict) else [wrapper]
    return [group for each in wrappers for group in each.optimizer.param_groups]


def _simulated(runner, groups: list[dict]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The moments [S] and the rates [S, G] of all groups."""
    schedulers = runner._schedulers()
    waiting = [each for each in schedulers if getattr(each, 'need_val_args', False)]
    notes = [f'{type(each).__name__} follows the validation, which only a training has: its rates '
             'are shown as they begin' for each in waiting]
    moving = [each for each in schedulers if each not in waiting]
    batches, epochs = len(runner.train_dataloader), runner.max_epochs
    every = max(1, batches // _MOMENTS) if any(not each.by_epoch for each in moving) else batches
    moments, rates = [], []
    for epoch in range(epochs):
        for batch in range(batches):
            if batch % every == 0:
                moments.append(epoch + batch / batches)
                rates.append([group['lr'] for group in groups])
            for each in moving:
                if not each.by_epoch:
                    each.step()
        for each in moving:
            if each.by_epoch:
                each.step()
    return np.array(moments), np.array(rates, dtype=float).reshape(len(moments), -1), notes


def _courses(task: Task, model: nn.Module, groups: list[dict], moments_S: np.ndarray,
             rates_SG: np.ndarray) -> list[RateCourse]:
    """Groups with the same rates together, without parameters that are frozen."""
    part_of = _parts_by_parameter(model, task.model_parts(model))
    together: dict[bytes, list[int]] = {}
    for place in range(len(groups)):
        together.setdefault(rates_SG[:, place].tobytes(), []).append(place)
    courses = []
    for places in together.values():
        trained = [(each, groups[place].get('weight_decay', 0.0)) for place in places
                   for each in groups[place]['params'] if each.requires_grad]
        if not trained:
            continue
        names = dict.fromkeys(part_of[id(each)] for each, _ in trained if id(each) in part_of)
        courses.append(RateCourse(
            ', '.join(names), sum(each.numel() for each, _ in trained),
            tuple(sorted({float(decay) for _, decay in trained})), moments_S,
            rates_SG[:, places[0]]))
    return courses


def _parts_by_parameter(model: nn.Module,
                        parts: list[tuple[str, Callable[[str], bool]]]) -> dict[int, str]:
    """The part of each parameter, in the order of the parts."""
    named = list(model.named_parameters())
    return {id(each): part for part, holds in parts for name, each in named if holds(name)}
