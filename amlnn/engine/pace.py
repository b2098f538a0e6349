"""How long an epoch will take on this machine: measured on a few batches."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from mmengine.optim import build_optim_wrapper
from torch import nn

from amlnn.engine.rehearsal import as_config_error, kept_generators
from amlnn.engine.task import Task

__all__ = ['Pace', 'measure_pace']

_BATCHES = 3  # that are timed at most, after a first that is not
_ENOUGH = 2.0  # seconds, after which no further batch is timed: a large one tells as much alone


@dataclass(frozen=True)
class Pace:
    """Seconds of one epoch's training, part by part."""

    loading: float
    """Decoding and augmentation, in so many processes as the loader has, by themselves."""
    frozen: float
    """What the fast path computes once a view; 0 on the plain path."""
    rest: float
    """The steps without it."""


def measure_pace(task: Task, model: nn.Module, loader, path) -> Pace:
    """Measure an epoch of training, whose model stays as it is.

    Args:
        task: The task.
        model: Built and frozen.
        loader: Of the training part.
        path: The fast path, or None.

    Raises:
        ConfigError: a step cannot be taken.
    """
    began = time.perf_counter()
    given = iter(loader)
    batches = list(islice(given, 1))
    first = time.perf_counter() - began
    began = time.perf_counter()
    batches += islice(given, _BATCHES)
    several = len(batches) > 1
    loading = (time.perf_counter() - began) / (len(batches) - 1) if several else first
    with kept_generators(), as_config_error('a training step'):
        twin = copy.deepcopy(model)
        twin.train()
        wrapper = build_optim_wrapper(twin, copy.deepcopy(task.plan.config['optim_wrapper']))
        wrapper.initialize_count_status(twin, 0, len(batches))
        # A copy: a preprocessor writes into its samples.
        frozen = _seconds(batches, lambda batch: path.features(copy.deepcopy(batch))) \
            if path else 0.0
        whole = _seconds(batches, lambda batch: twin.train_step(batch, wrapper))
    steps = len(loader)
    return Pace(steps * loading, steps * frozen,
                steps * (max(whole - frozen, 0.1 * whole) if path else whole))


def _seconds(batches: list[Any], step: Callable[[Any], object]) -> float:
    """Of a step, the mean over the first few behind the first, which prepares what is kept."""
    timed = batches[1:] or batches
    if len(batches) > 1:
        step(batches[0])
    began, done = time.perf_counter(), 0
    for batch in timed:
        step(batch)
        done += 1
        if time.perf_counter() - began > _ENOUGH:
            break
    return (time.perf_counter() - began) / done
