"""From a resolved config to what the machine at hand can build.

Takes amlnn's own keys out of `model`, derives what need not be typed, and swaps components that
this machine or this project cannot use for those that it can. Everything done is said in `notes`.
"""

import copy
from dataclasses import dataclass, field
from pathlib import Path

from amlnn.config.kind import run_kind
from amlnn.config.load import LoadedConfig
from amlnn.config.structure import DEFAULT_HOOKS
from amlnn.data.images.layout import PARTS, choices_of, data_hash, layout_of
from amlnn.data.images.views import draws_nothing
from amlnn.engine.precision import ExecutionPolicy
from amlnn.errors import ConfigError, DataError
from amlnn.registry import MODEL_KEYS, VALIDATION_LOSS, import_components

__all__ = ['ModelOptions', 'Plan', 'adapt', 'check_data_roots', 'common_steps', 'first_dataset',
           'leaf_datasets', 'part_datasets']


@dataclass
class ModelOptions:
    """amlnn's keys of `model`."""

    frozen_stages: int | str | None = None
    """None: the config leaves freezing to MMPretrain's `backbone.frozen_stages`."""
    trainable: tuple[str, ...] = ()
    pretrained: str | None = None
    pretrained_head: bool = False


@dataclass
class Plan:
    """What will be built."""

    loaded: LoadedConfig
    config: object
    """mmengine ConfigDict for MMEngine's builders, without amlnn's own keys."""
    model_options: ModelOptions
    policy: ExecutionPolicy
    device: str
    precision: str
    seed: int
    classes: list[str] | None = None
    data_root: str | None = None
    notes: list[str] = field(default_factory=list)
    series: object = None
    """A SeriesTask where the experiment is a forecast."""

    def data_hash(self) -> str | None:
        """What names the data in records; None where nothing does."""
        if self.series is not None:
            return self.series.data_hash()
        section = first_dataset(self.config)
        return data_hash(section) if section else None


def adapt(loaded: LoadedConfig, device: str, seed: int | None = None,
          pretrained: str | None = None, classes: list[str] | None = None,
          class_count: int | None = None) -> Plan:
    """Make a Plan.

    Args:
        loaded: From `load_config`.
        device: 'cpu' or 'cuda'.
        seed: Overrides `randomness.seed`.
        pretrained: Overrides `model.pretrained`; 'none' for no weights.
        classes: Class names of a checkpoint.
        class_count: Class count of a checkpoint, where it has no names.

    Raises:
        ConfigError: two class counts disagree, or none is known.
    """
    if run_kind(loaded.config) == 'forecasting':
        from amlnn.engine.series import adapt_series
        return adapt_series(loaded, device, seed, pretrained)
    plan = common_steps(loaded, device, seed, pretrained)
    config, notes = plan.config, plan.notes
    section = first_dataset(config) or {}
    data_root = section.get('data_root')
    # A checkpoint knows its classes; whether a data set fits them is asked when it is opened.
    from_checkpoint = bool(classes or class_count)
    known = classes
    if not classes and data_root:
        known = layout_of(section).find_classes(data_root, **choices_of(section))
        if class_count and len(known or ()) != class_count:
            known = None
    count = _derive_classes(loaded, config, known, class_count, section, from_checkpoint)
    _cut_topk(config, count, notes)
    _fit_loaders(config)
    if plan.policy.views is None and _draws_nothing((config.get('train_dataloader') or {})
                                                    .get('dataset')):
        plan.policy.views = 1  # else a frozen trunk would compute the same in every epoch
    plan.classes = known
    plan.data_root = data_root and str(Path(data_root).absolute())
    return plan


def common_steps(loaded: LoadedConfig, device: str, seed: int | None, pretrained: str | None,
                 execution: dict | None = None) -> Plan:
    """What every kind of experiment needs: a Plan without classes and data.

    Args:
        loaded: From `load_config`.
        device: 'cpu' or 'cuda'.
        seed: Overrides `randomness.seed`.
        pretrained: Overrides `model.pretrained`; 'none' for no weights.
        execution: The execution policy of a config that has none.
    """
    config = copy.deepcopy(loaded.config)
    _refuse_silent_keys(loaded)
    notes = list(loaded.notes)
    options = _take_model_options(config, pretrained)
    policy = ExecutionPolicy(**config.pop('execution', execution or {}))
    precision = policy.resolve(device)
    _fit_machine(config, device, precision, notes)
    _fit_hooks(config, notes)
    if seed is None:
        seed = (config.get('randomness') or {}).get('seed')
    return Plan(loaded=loaded, config=config, model_options=options, policy=policy, device=device,
                precision=precision, seed=0 if seed is None else seed, notes=notes)


def leaf_datasets(dataset) -> list[dict]:
    """The data sets inside wrappers, as config sections."""
    if not isinstance(dataset, dict):
        return []
    inner = _inner_datasets(dataset)
    return [leaf for child in inner for leaf in leaf_datasets(child)] if inner else [dataset]


def _inner_datasets(section: dict) -> list:
    """What a wrapper wraps; nothing of a data set that is none."""
    return section.get('datasets') or ([section['dataset']] if 'dataset' in section else [])


def part_datasets(config, part: str) -> list[dict]:
    """The data sets inside the wrappers of a part; none where the config has no such part."""
    loader = config.get(f'{part}_dataloader')
    return leaf_datasets(loader.get('dataset')) if loader else []


def first_dataset(config) -> dict | None:
    """The first data set with a data root of the training part, else of another."""
    for part in PARTS:
        for leaf in part_datasets(config, part):
            if leaf.get('data_root'):
                return leaf
    return None


def _draws_nothing(dataset) -> bool:
    """Whether a data set gives the same images in every epoch, as far as that is known."""
    return isinstance(dataset, dict) and draws_nothing(dataset.get('pipeline') or ()) \
        and all(map(_draws_nothing, _inner_datasets(dataset)))


def check_data_roots(config, parts: tuple[str, ...]) -> None:
    """Refuse a config whose data is not there.

    Raises:
        DataError: names the missing folder and how to make it.
    """
    for part in parts:
        for leaf in part_datasets(config, part):
            root = leaf.get('data_root')
            if root and not Path(root).is_dir():
                import_components()  # to know its kind; nothing but this error waits for it
                raise DataError(
                    f'no data set at `{root}`',
                    hint=f'{layout_of(leaf).how_to_get(str(root))}, or name another folder: '
                    '--data <folder>')


def _refuse_silent_keys(loaded: LoadedConfig) -> None:
    """MMEngine's keys whose work is done otherwise here."""
    for key, instead in (('load_from', 'model.pretrained or --pretrained loads weights, and says '
                          'how many matched'), ('resume', '--resume goes on with a run')):
        if loaded.config.get(key):
            raise ConfigError(f'{loaded.origins.get(key, loaded.path)}: `{key}` is not used here',
                              hint=instead)


def _take_model_options(config, pretrained: str | None) -> ModelOptions:
    values = {key: config['model'].pop(key) for key in MODEL_KEYS if key in config['model']}
    options = ModelOptions(**values)
    options.trainable = tuple(options.trainable or ())
    if pretrained is not None:
        options.pretrained = None if pretrained.lower() == 'none' else pretrained
    if pretrained is not None or 'pretrained' in values:
        config['model'].get('backbone', {}).pop('init_cfg', None)
    return options


def _derive_classes(loaded, config, names, class_count, section, from_checkpoint) -> int | None:
    head = config['model'].get('head')
    takes = isinstance(head, dict) and _takes_class_count(head)
    typed = head.get('num_classes') if isinstance(head, dict) else None
    count = len(names) if names else class_count
    data_root, layout = section.get('data_root'), layout_of(section)
    source = 'the checkpoint' if from_checkpoint \
        else str(Path(data_root or '') / layout.classes_file)
    if typed is not None and count is not None and typed != count:
        place = loaded.origins.get('model.head.num_classes', loaded.path)
        raise ConfigError(
            f'{place}: `model.head.num_classes` is {typed}, and {source} has {count} classes',
            hint=f'set model.head.num_classes={count}, or leave it out: it is derived')
    count = count or typed
    if takes and typed is None:
        if count is None:
            raise DataError(
                f'the class count is not known: {source} does not exist',
                hint=f'{layout.how_to_get(data_root or "DST")}, or set model.head.num_classes')
        head['num_classes'] = count
    for place in (config.get('data_preprocessor'), config['model'].get('data_preprocessor')):
        if place and count and place.get('num_classes', count) != count:
            place['num_classes'] = count
    if count and config['model'].get('train_cfg'):  # mixup makes one-hot labels
        config.setdefault('data_preprocessor', {}).setdefault('num_classes', count)
    return count


def _takes_class_count(head: dict) -> bool:
    from mmpretrain.models.heads import ClsHead
    from mmpretrain.registry import MODELS
    kind = MODELS.get(str(head.get('type', '')).removeprefix('mmpretrain.'))
    return isinstance(kind, type) and issubclass(kind, ClsHead) and kind is not ClsHead


def _cut_topk(config, count: int | None, notes: list[str]) -> None:
    if not count:
        return
    places = [('model.head', config['model'].get('head'))]
    for name in ('val_evaluator', 'test_evaluator'):
        evaluators = config.get(name)
        each = evaluators if isinstance(evaluators, list | tuple) else [evaluators]
        places += [(name, evaluator) for evaluator in each]
    cut = []
    for name, place in places:
        topk = place.get('topk') if isinstance(place, dict) else None
        values = (topk,) if isinstance(topk, int) else tuple(topk or ())
        kept = tuple(k for k in values if k <= count) or (1,)
        if values and kept != values:
            place['topk'] = kept
            cut.append(name)
    if cut:
        notes.append(f'topk is cut to the {count} classes in {", ".join(cut)}')


def _fit_loaders(config) -> None:
    for part in PARTS:
        loader = config.get(f'{part}_dataloader')
        if not loader:
            continue
        loader.setdefault('collate_fn', dict(type='default_collate'))
        if not loader.get('num_workers'):
            loader['num_workers'] = 0
            loader['persistent_workers'] = False
            loader.pop('prefetch_factor', None)


def _fit_machine(config, device: str, precision: str, notes: list[str]) -> None:
    wrapper = config.get('optim_wrapper')
    kind = wrapper.get('type', 'OptimWrapper') if wrapper else None
    if kind == 'AmpOptimWrapper' and device == 'cpu':
        for key in ('loss_scale', 'dtype', 'use_fsdp'):
            wrapper.pop(key, None)
        kind = 'OptimWrapper'
        notes.append(f'AmpOptimWrapper needs an accelerator: on this CPU the run uses {precision}')
    if kind in ('OptimWrapper', 'AutocastOptimWrapper'):
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
