"""From a resolved config to what the machine at hand can build, whatever the kind of experiment.

Takes amlnn's own keys out of `model` and swaps components that this machine or this project cannot
use for those that it can. Everything done is said in `notes`. What only images or only series need
is added by their tasks.
"""

import copy
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.config import ConfigDict

from amlnn.config.load import LoadedConfig
from amlnn.config.structure import DEFAULT_HOOKS
from amlnn.config.weight_sources import as_begun, leave_out, named_weights
from amlnn.engine.precision import ExecutionPolicy, autocast
from amlnn.registry import MODEL_KEYS, VALIDATION_LOSS

__all__ = ['ModelOptions', 'Plan', 'make_plan']


@dataclass
class ModelOptions:
    """amlnn's keys of `model`."""

    frozen_stages: int | str | None = None
    """None: the config leaves freezing to MMPretrain's `backbone.frozen_stages`."""
    trainable: tuple[str, ...] = ()
    unfreeze: tuple[dict, ...] = ()
    """What opens when (`amlnn.config.openings`)."""
    pretrained: str | None = None
    pretrained_head: bool = False
    head_start: str | None = None
    """'probe': the head begins with ridge regression on the training part's features."""


@dataclass
class Plan:
    """What will be built."""

    loaded: LoadedConfig
    config: ConfigDict
    """For MMEngine's builders, without amlnn's own keys."""
    model_options: ModelOptions
    policy: ExecutionPolicy
    device: str
    precision: str
    seed: int
    notes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Keys of the config that name weights, in whose place the command line named others."""
    begun: ConfigDict | None = None
    """The stored config of the run that is gone on with."""
    begun_engine: str | None = None
    """What computed its frozen stages."""

    def begin_as(self, stored: ConfigDict) -> None:
        """Take the weights that a run began with, whatever the config of now says of them."""
        self.begun = stored
        self.config = as_begun(self.config, stored)
        self.model_options.pretrained = self.config['model'].pop('pretrained')
        _take_built(self.config)

    @property
    def work_dir(self) -> Path:
        """Folder of run folders, where the command line names none."""
        return self.loaded.work_dir

    def forward_context(self):
        """A context of a forward pass without gradients."""
        return autocast(self.device, self.precision)

    def effective_config(self) -> ConfigDict:
        """The resolved config with what the command line set, as config.py stores it."""
        config = copy.deepcopy(self.loaded.config)
        for key in self.left_out:
            leave_out(config, key)
        if self.begun is not None:
            config = as_begun(config, self.begun)
        config['model']['pretrained'] = self.model_options.pretrained
        config['randomness'] = {**(config.get('randomness') or {}), 'seed': self.seed}
        return config


def make_plan(loaded: LoadedConfig, device: str, seed: int | None = None,
              pretrained: str | None = None, execution: dict | None = None) -> Plan:
    """Make a Plan.

    Args:
        loaded: From `load_config`.
        device: 'cpu' or 'cuda'.
        seed: Overrides `randomness.seed`.
        pretrained: Overrides `model.pretrained`; 'none' for no weights.
        execution: The execution policy of a config that has none.

    Raises:
        ConfigError: a value of `execution` is not one that it can have.
    """
    config = copy.deepcopy(loaded.config)
    notes = list(loaded.notes)
    options, left_out = _take_model_options(config, pretrained, loaded.origins, notes)
    policy = ExecutionPolicy(**config.pop('execution', execution or {}))
    precision = policy.resolve(device)
    _fit_machine(config, device, precision, notes)
    _fit_hooks(config, notes)
    return Plan(loaded=loaded, config=config, model_options=options, policy=policy, device=device,
                precision=precision, seed=loaded.seed if seed is None else seed, notes=notes,
                left_out=left_out)


def _take_model_options(config, pretrained: str | None, origins: dict[str, str],
                        notes: list[str]) -> tuple[ModelOptions, list[str]]:
    """amlnn's keys of `model`, and which other keys the command line's weights leave out."""
    values = {key: config['model'].pop(key) for key in MODEL_KEYS if key in config['model']}
    options, left_out = ModelOptions(**values), []
    options.trainable = tuple(options.trainable or ())
    options.unfreeze = tuple(options.unfreeze or ())
    if pretrained is not None:
        options.pretrained = None if pretrained.lower() == 'none' else pretrained
        parts = ('', 'backbone', 'head') if options.pretrained_head else ('', 'backbone')
        for each in named_weights(config):
            if options.pretrained is None or each.part in parts:
                leave_out(config, each.key)
                left_out.append(each.key)
                notes.append(f'--pretrained {pretrained} leaves out `{each.key}` of '
                             f'{origins.get(each.key, "the config")}')
    built = _take_built(config)
    if pretrained is None:
        options.pretrained = options.pretrained or built
    return options, left_out


def _take_built(config) -> str | None:
    """What a backbone's own arguments name weights by: it would load them unseen."""
    source = None
    for each in [each for each in named_weights(config) if each.built]:
        source = each.source
        leave_out(config, each.key)
    return source


def _fit_machine(config, device: str, precision: str, notes: list[str]) -> None:
    wrapper = config.get('optim_wrapper')
    name = wrapper.get('type', 'OptimWrapper') if wrapper else None
    if name == 'AmpOptimWrapper' and device == 'cpu':
        for key in ('loss_scale', 'dtype', 'use_fsdp'):
            wrapper.pop(key, None)
        name = 'OptimWrapper'
        notes.append(f'AmpOptimWrapper needs an accelerator: on this CPU the run uses {precision}')
    if name in ('OptimWrapper', 'AutocastOptimWrapper'):
        if precision == 'fp16':
            wrapper.update(type='AmpOptimWrapper', dtype='float16')
        else:
            wrapper.update(type='AutocastOptimWrapper', device=device, precision=precision)
    if device == 'cpu' and _replace_type(config['model'], 'SyncBN', 'BN'):
        notes.append('SyncBN is BN on a CPU')


def _replace_type(section, old: str, new: str) -> bool:
    found = False
    if isinstance(section, dict):
        if section.get('type') == old:
            section['type'] = new
            found = True
        section = section.values()
    elif not isinstance(section, list | tuple):
        return False
    for child in section:
        found = _replace_type(child, old, new) or found
    return found


def _fit_hooks(config, notes: list[str]) -> None:
    hooks = config.setdefault('default_hooks', {})
    saver = hooks.get('checkpoint')
    if not saver or saver.get('type') == 'CheckpointHook':
        kept = {key: saver[key] for key in ('save_best', 'rule') if saver and saver.get(key)}
        if saver and saver.get('by_epoch', True) and saver.get('interval', 1) > 0:
            kept['interval'] = saver.get('interval', 1)
        hooks['checkpoint'] = dict(type='RunCheckpointHook', **kept)
        if saver:
            notes.append('RunCheckpointHook writes the checkpoints: the two newest and the best')
    # A hook that a base has and a child sets to None; MMEngine knows this of its own hooks only.
    for name in [name for name, hook in hooks.items() if hook is None
                 and name not in DEFAULT_HOOKS]:
        hooks.pop(name)
    # Draws predictions through a visualizer that shows nothing here; the report does it better.
    hooks.pop('visualization', None)
    custom = config.get('custom_hooks') or []
    for hook in [*custom, *hooks.values()]:
        if hook and hook.get('type') == 'EarlyStoppingHook':
            for key in set(hook) - {'type', 'monitor', 'patience', 'rule', 'min_delta', 'priority'}:
                hook.pop(key)
            hook['type'] = 'RunEarlyStoppingHook'
            hook.setdefault('min_delta', 0.1)
            notes.append('early stopping is done by RunEarlyStoppingHook, which survives a resume')
    stopper = next((hook for hook in [*custom, *hooks.values()]
                    if hook and hook.get('type') == 'RunEarlyStoppingHook'), None)
    if stopper:
        _compare_monitors(stopper, hooks['checkpoint'], notes)


def _compare_monitors(stopper: dict, saver: dict, notes: list[str]) -> None:
    """Say where a training stops by one metric and keeps the best epoch by another."""
    stops = stopper.get('monitor', VALIDATION_LOSS)
    saves = saver.get('save_best', 'auto')
    if saves == 'auto':  # the first metric, which is never the loss
        saves = 'the first metric' if stops == VALIDATION_LOSS else stops
    if saves != stops:
        kept = 'no best epoch is kept' if saves is None else f'the best epoch is that by {saves}'
        notes.append(f'early stopping goes by {stops}, and {kept}: '
                     f"default_hooks.checkpoint.save_best='{stops}' makes them one")
