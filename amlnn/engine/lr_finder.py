"""Trains while the learning rate rises, to see which rates a training bears; nothing is kept.

Smith's range test (`amlnn.formulas.rate_range`), on the plain path and on features of frozen
stages. What trains is what would be trained: weights, order, augmentation, mixing, clipping and
layer-wise rates are the config's, and its schedule alone is replaced by the ramp.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mmengine.optim import OptimWrapper, build_optim_wrapper
from rich.console import Console
from torch import nn

from amlnn.config.load import LoadedConfig
from amlnn.console import say
from amlnn.engine.kinds import in_scope
from amlnn.engine.opening import check_trainable, open_to_train
from amlnn.engine.rehearsal import as_config_error, kept_generators
from amlnn.engine.run.progress import TrainingProgress
from amlnn.engine.seeding import seed_epoch
from amlnn.engine.task import Task
from amlnn.engine.workers import end_workers
from amlnn.errors import ConfigError, RunFailed, UsageError
from amlnn.formulas.rate_range import DIVERGED, RateRange, RunningMean, rising_rates

__all__ = ['Found', 'Ramp', 'find_rate']

_STEPS = (100, 300)  # at least and at most, where a pass over the data does not say how many
_FEWEST = 10


@dataclass(frozen=True)
class Ramp:
    """Which rates are tried.

    Args:
        least: The first one.
        most: The last one.
        steps: Of the optimizer; None for a pass over the training part, but 100 to 300.

    Raises:
        UsageError: they are no ramp.
    """

    least: float = 1e-6
    most: float = 10.0
    steps: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.least < self.most < math.inf:
            raise UsageError(f'rates from {self.least:g} to {self.most:g} are no ramp',
                             hint='--min-lr above 0 and below --max-lr')
        if self.steps is not None and self.steps < _FEWEST:
            raise UsageError(f'{self.steps} steps are too few for a curve',
                             hint=f'--steps {_FEWEST} or more; without it they fit the data')

    def steps_for(self, batches: int) -> int:
        """How many steps there are, for a training part of so many."""
        return self.steps or min(max(batches, _STEPS[0]), _STEPS[1])


@dataclass(frozen=True)
class Found:
    """What was found, and how."""

    config: str
    """Its name."""
    curve: RateRange
    configured: float
    """The rate that the config has."""
    seconds: float
    notes: list[str] = field(default_factory=list)
    """How frozen stages were computed, in words."""


def find_rate(loaded: LoadedConfig, device: str, ramp: Ramp, console: Console,
              seed: int | None = None, pretrained: str | None = None) -> Found:
    """Find out which learning rates a training bears.

    Rates are those that `optim_wrapper.optimizer.lr` would have; groups with other rates keep
    their ratio to it. The generators of python, numpy and torch are what they were afterwards, and
    no run folder is made. Features of frozen stages go into their cache, as in a training.

    Args:
        loaded: From `load_config`.
        device: 'cpu' or 'cuda'.
        ramp: Which rates.
        console: Where progress is shown.
        seed: Overrides `randomness.seed`.
        pretrained: Overrides `model.pretrained`; 'none' for no weights.

    Raises:
        AmlnnError: the config cannot be trained step by step.
        RunFailed: the loss is not finite from the first steps on.
    """
    notes = check_trainable(loaded)
    with in_scope(loaded.config), kept_generators():
        task = open_to_train(loaded, device, seed, pretrained, notes)
        if task.fitted_at_once:
            raise ConfigError(f"`{loaded.config['model']['type']}` is fitted in closed form, "
                              'without a learning rate', hint='train it: nothing is to be found')
        seed_epoch(task.plan.seed, -1)
        model, said = task.build_model()
        loader = task.loader('train')
        path = task.fast_path(model, {'train': loader})
        for note in task.plan.notes:
            say(console, note, 'note')
        for note in [*(path.notes if path else ()), *([said] if said else ())]:
            say(console, note)
        if path:
            loader = path.loader(task.plan, 'train', loader, lambda text: say(console, text))
        if started := task.staging.start_head(model, loader, path):
            say(console, started)
        try:
            return _Finder(task, model, loader, path, ramp, console).find()
        finally:
            end_workers(loader)
            if path:
                path.close()


class _Finder:
    """One range test. Arguments are those of `find_rate`, built."""

    def __init__(self, task: Task, model: nn.Module, loader, path, ramp: Ramp, console: Console):
        self.task, self.model, self.loader, self.path = task, model, loader, path
        self.config = task.plan.config
        self.wrapper = _built(model, self.config['optim_wrapper'])
        groups = self.wrapper.optimizer.param_groups
        self.configured = _base_rate(self.wrapper)
        self.scale = _batch_scale(self.config)
        self.ratios = [group['lr'] / self.configured for group in groups]
        self.accumulated = getattr(self.wrapper, '_accumulative_counts', 1)
        self.ramp = ramp
        self.steps = ramp.steps_for(len(loader) // self.accumulated)
        self.progress = TrainingProgress(console, task.rate, task.digits)

    def find(self) -> Found:
        """Take the steps."""
        began = time.perf_counter()
        self.wrapper.initialize_count_status(self.model, 0, self.steps * self.accumulated)
        self.progress.start(1, self.steps, 0)
        self.progress.begin_epoch(1)
        try:
            curve = self._curve()
        finally:
            self.progress.stop()
        return Found(self.task.plan.loaded.name, curve, self.configured,
                     round(time.perf_counter() - began, 3), self.path.notes if self.path else [])

    def _curve(self) -> RateRange:
        batches = self._batches()
        mean, best = RunningMean(self.steps), math.inf
        # As far as batches differ at harmless rates, nothing has diverged.
        early = max(_FEWEST, self.steps // 10)
        rates, losses = [], []
        for rate in rising_rates(self.ramp.least, self.ramp.most, self.steps).tolist():
            self._set(rate)
            loss = self._step(batches)
            if not math.isfinite(loss):
                break
            rates.append(rate)
            losses.append(loss)
            smoothed = mean.add(loss)
            best = min(best, smoothed)
            if len(losses) > early and smoothed > max(DIVERGED * best, *losses[:early]):
                break
        if len(rates) < _FEWEST:
            raise RunFailed(f'the loss leaves all bounds after {len(rates)} steps, at the rate '
                            f'{rate:.3g}', hint=f'--min-lr {self.ramp.least / 1000:.3g}, or '
                            'optim_wrapper.clip_grad.max_norm=1')
        return RateRange(rates, losses, self.steps)

    def _set(self, rate: float) -> None:
        for group, ratio in zip(self.wrapper.optimizer.param_groups, self.ratios, strict=True):
            group['lr'] = rate * ratio * self.scale

    def _step(self, batches: Iterator[dict]) -> float:
        """One step of the optimizer, of as many batches as it takes; their mean loss."""
        losses = []
        with as_config_error('a training step'):
            for _ in range(self.accumulated):
                outputs = self._train(next(batches))
                losses.append(float(outputs['loss'].detach()))
        self.progress.iteration(self.loader.batch_size * self.accumulated, outputs)
        return sum(losses) / len(losses)

    @property
    def _train(self) -> Callable[[dict], dict]:
        if self.path:
            return lambda batch: self.path.train_step(self.model, batch, self.wrapper)
        return lambda batch: self.model.train_step(batch, self.wrapper)

    def _batches(self) -> Iterator[dict]:
        """Batches of one epoch after the other, as a training gives them."""
        epoch, epochs = 0, self.config['train_cfg']['max_epochs']
        while True:
            seed_epoch(self.task.plan.seed, epoch)
            if hasattr(self.loader.sampler, 'set_epoch'):
                self.loader.sampler.set_epoch(epoch % epochs)  # a cache has views of so many
            self.model.train()
            yield from self.loader
            epoch += 1


def _built(model: nn.Module, section) -> OptimWrapper:
    with as_config_error('building the optimizer'):
        wrapper = build_optim_wrapper(model, section)
    if not isinstance(wrapper, OptimWrapper):
        raise ConfigError('the config trains with several optimizers, and a range test ramps one '
                          'rate', hint='try one of them after the other, the others at lr=0')
    return wrapper


def _base_rate(wrapper: OptimWrapper) -> float:
    """What `optim_wrapper.optimizer.lr` is, or the optimizer's own where it is not set."""
    rate = wrapper.optimizer.defaults.get('lr')
    if not isinstance(rate, int | float) or not 0 < rate < math.inf:
        raise ConfigError(f'`optim_wrapper.optimizer.lr` is {rate}, and rates of layers are '
                          'ratios to it', hint='set it to any number above 0, such as 0.01')
    return float(rate)


def _batch_scale(config) -> float:
    """By what `auto_scale_lr` multiplies the config's rate."""
    section = config.get('auto_scale_lr') or {}
    if not section.get('enable', False):
        return 1.0
    return config['train_dataloader']['batch_size'] / section['base_batch_size']
