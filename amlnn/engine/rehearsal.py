"""A first step of training on a copy of the model, before a run begins.

What config, data and libraries do not agree on shows in the first step or in the last batch of an
epoch: the number of classes of a loss, soft labels for a hard one, batch norm and a single image,
an optimizer that wants something else. It is a mistake of the config, and not of the run.
"""

import copy
import random
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS
from rich.console import Console
from torch import nn

from amlnn.config.own_modules import is_librarys
from amlnn.engine.make_runner import make_runner
from amlnn.engine.measured import check_monitors
from amlnn.engine.memory import is_out_of_memory
from amlnn.engine.new_record import count_samples, new_record
from amlnn.engine.run.progress import TrainingProgress
from amlnn.engine.run.recorder import Recorder
from amlnn.engine.task import Task
from amlnn.errors import AmlnnError, ConfigError, RunFailed

__all__ = ['as_config_error', 'kept_generators', 'rehearse', 'rehearse_evaluation', 'take_step']

# What a library says, in small letters, and what helps.
_HINTS = (
    ('more than 1 value per channel', 'a batch of one image gives batch norm nothing to normalise: '
     'set train_dataloader.drop_last=True, or another train_dataloader.batch_size'),
    ('closure', 'take an optimizer that needs no closure, such as SGD or AdamW'),
    ('sparse', 'take an optimizer for dense gradients, such as SGD or AdamW'),
    ('weight tensor should be defined', 'model.head.loss.class_weight needs one number a class'),
    ('num_classes', 'leave num_classes out where it can be derived, or set it to the number of '
     'classes of the data set'),
    ('class probabilities', 'a loss for soft labels: model.head.loss.use_soft=True'),
    ('pred.dim() == label.dim()', 'a loss with use_sigmoid takes one 0 or 1 a class: leave '
     'model.head.loss.use_sigmoid out, or set model.data_preprocessor.to_onehot=True'),
    ('get_layer_depth', 'layer_decay_rate is for backbones that say how deep a layer lies (ResNet '
     'from 34 layers on, VisionTransformer, SwinTransformer, ConvNeXt); '
     'optim_wrapper.paramwise_cfg.custom_keys sets the rate of any layer by its name'),
    ('pos_weight', 'model.head.loss.pos_weight needs one number a class'),
)
_WRITERS = ('LoggerHook', 'NPUProfilerHook', 'NaiveVisualizationHook', 'RunCheckpointHook',
            'VisualizationHook')
_USUAL_HINT = 'compare model.head, its loss and optim_wrapper with the number of classes; run ' \
    'again with --traceback for the place in the code'


def take_step(model: nn.Module, batch: dict, optimizer_section, what: str) -> None:
    """Take one step of training on a copy of a model, which stays as it is.

    Args:
        model: Built and frozen.
        batch: As the data loader gives it.
        optimizer_section: `optim_wrapper` of the config.
        what: What the batch is called in an error: 'a batch of 2 images'.

    Raises:
        ConfigError: the step cannot be taken.
    """
    twin = copy.deepcopy(model)
    twin.train()
    with kept_generators(), as_config_error(f'one training step on {what}'):
        wrapper = build_optim_wrapper(twin, copy.deepcopy(optimizer_section))
        wrapper.initialize_count_status(twin, 0, 1)
        twin.train_step(batch, wrapper)


class FewSamples:
    """A loader of the first batch of another, as long as the other.

    Args:
        few: The loader of one batch.
        loader: The other.
    """

    def __init__(self, few, loader):
        self._few = few
        self._length = len(loader)
        self.dataset = loader.dataset
        self.batch_size = loader.batch_size
        self.sampler = None

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[dict]:
        return iter(self._few)


class StopHook(Hook):
    """Ends a training with its first epoch."""

    def after_train_epoch(self, runner) -> None:
        runner.train_loop.stop_training = True


def acts_in_rehearsal(section: dict) -> bool:
    """Whether a hook of a config does its work in a rehearsal: not one's own, which may count, and
    none that only writes.
    """
    kind = section
    if isinstance(section, dict):
        with HOOKS.switch_scope_and_registry(None) as registry:  # as it will be built
            kind = registry.get(str(section.get('type')))
    module = getattr(kind, '__module__', '')
    return is_librarys(module) and kind.__name__ not in _WRITERS


def written_into(section, folder: str):
    """A hook of a config, whose files go into a folder that is gone after the rehearsal."""
    if not isinstance(section, dict):
        return section
    section = copy.deepcopy(section)
    if isinstance(section.get('json_trace_path'), str):
        section['json_trace_path'] = str(Path(folder) / 'trace.json')
    ready = section.get('on_trace_ready')
    if isinstance(ready, dict) and ready.get('dir_name'):
        ready['dir_name'] = folder
    return section


def rehearse(task: Task, model: nn.Module, loaders: dict, stored_config) -> None:
    """Train and validate a copy of a model on a few samples, in a folder that is gone then.

    Hooks of one's own are built, and wait for the run itself.

    Raises:
        ConfigError: config, data and libraries do not go together.
    """
    config = task.plan.config
    with as_config_error(f'the model on one of the {task.samples}'):
        task.try_out(model, loaders)
    few = {part: FewSamples(task.first_batch(loader, task.few()), loader)
           for part, loader in loaders.items() if part != 'test'}
    what = f'a first step on {task.few()} {task.samples}'
    with tempfile.TemporaryDirectory(prefix='amlnn-rehearsal-') as name, kept_generators(), \
            as_config_error(what):
        for section in [*config['default_hooks'].values(), *(config.get('custom_hooks') or [])]:
            if isinstance(section, dict):
                HOOKS.build(copy.deepcopy(section))
        record = new_record(task, stored_config, model, count_samples(loaders), sys.argv)
        hooks = ({key: hook if hook is None or acts_in_rehearsal(hook) else None
                  for key, hook in config['default_hooks'].items()},
                 [*(written_into(hook, name) for hook in config.get('custom_hooks') or []
                    if acts_in_rehearsal(hook)), StopHook()])
        twin = copy.deepcopy(model)
        runner = make_runner(Path(name), task, twin, few, stored_config,
                             Recorder(Path(name), record), TrainingProgress(Console(quiet=True)),
                             hooks=hooks)
        runner.train()
        measured = {}
        if 'val' in few:
            if runner.val_loop.last is None:  # the first epoch is not validated
                runner.val_loop.run()
            measured = {**runner.val_loop.last.arrays, **runner.val_loop.last.metrics}
        runner.close()
    check_monitors(config, measured)


def rehearse_evaluation(task: Task, model: nn.Module, part: str, loader) -> None:
    """Evaluate a model on a few samples of a part, and forget the result.

    Raises:
        ConfigError: config, data and libraries do not go together.
    """
    few = task.first_batch(loader, task.few())
    what = f'an evaluation on {task.few()} {task.samples} of the {part} part'
    with kept_generators(), as_config_error(what):
        task.evaluate(model, few, task.evaluator(part, loader))


@contextmanager
def as_config_error(what: str) -> Iterator[None]:
    """What is raised within is a mistake of the config, and named so.

    Args:
        what: What was tried.

    Raises:
        ConfigError: instead of whatever a library raised.
    """
    try:
        yield
    except AmlnnError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise RunFailed(f'{what} fails: out of memory ({type(error).__name__}: {error})',
                            hint='smaller images or a smaller model; a batch needs more yet'
                            ) from error
        text = ' '.join(str(error).split()) or _raising_line(error)
        known = next((hint for words, hint in _HINTS if words in text.lower()), _USUAL_HINT)
        raise ConfigError(f'{what} fails: {type(error).__name__}: {text[:300]}',
                          hint=known) from error


@contextmanager
def kept_generators() -> Iterator[None]:
    """Leave the generators of python, numpy and torch as they were."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of a few samples, some classes are missing
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def _raising_line(error: BaseException) -> str:
    """The line of code that raised what has no message, an `assert` for instance."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f'{last.line} in {last.name}' if last.line else f'{last.name} in {last.filename}'
