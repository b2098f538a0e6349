"""What MMEngine's Runner and builders make of each place of a config.

A Slot says what is built at a place: from which registry, with which default class, which keys
the builder reads and removes before the class sees them, and which arguments it supplies itself.
"""

from dataclasses import dataclass, field, replace

from amlnn.config.library_facts import DEFAULT_CLASSES, LOOP_OF_ITERATIONS
from amlnn.registry import EXECUTION_CLASS, MODEL_KEYS

__all__ = ['BY_PARAMETER', 'BY_TOP_LEVEL', 'DEFAULT_HOOKS', 'HOOK_NAMES', 'PLAIN_TYPES',
           'RESERVED_IN_DICTS', 'TOP_LEVEL', 'Slot', 'preprocessor_slot', 'slot_of',
           'slot_of_loader']


@dataclass(frozen=True)
class Slot:
    """What a dict at one place is built into.

    Either `keys` lists all there can be, or `registry` builds it by `type`, or it is a free dict.
    """

    registry: str = ''
    default: str | tuple[str, str] = ''
    """The class where no `type` is named: a registered name, or module and class."""
    default_without: dict[str, str] = field(default_factory=dict)
    """The class in place of `default` where one of these keys is False."""
    extra: tuple[str, ...] = ()
    """Keys that the builder removes before the class is called."""
    filled: tuple[str, ...] = ()
    """Arguments that the builder supplies: known, and not offered in hints."""
    keys: tuple[str, ...] | None = None
    inner: dict[str, 'Slot'] = field(default_factory=dict)
    guessed: bool = False
    """Nobody knows that this is what is built here: only near misses are errors."""
    named: bool = False
    """A dict of things by name, each as this slot says."""


def _keys(*names: str, **inner: Slot) -> Slot:
    return Slot(keys=(*names, *inner), inner=inner)


RESERVED_IN_DICTS = ('_delete_', '_scope_')

_AUGMENT = Slot('BATCH_AUGMENTS')
_AUGMENTS = _keys('probs', augments=_AUGMENT)
_TRANSFORM = Slot('TRANSFORMS')
_MODEL = Slot('MODELS')
_DATASET = Slot('DATASETS')
_SAMPLER = Slot('DATA_SAMPLERS', filled=('dataset', 'seed', 'sampler', 'batch_size'))
_FUNCTION = Slot('FUNCTIONS', filled=('data_batch', 'worker_id', 'num_workers', 'rank', 'seed'))
_METRIC = Slot('METRICS')
_HOOK = Slot('HOOKS', extra=('priority',))
_LOOP = ('runner', 'dataloader', 'evaluator')
_OPTIMIZER = Slot('OPTIMIZERS', filled=('params',))
_CLIP = _keys('type', 'max_norm', 'norm_type', 'error_if_nonfinite', 'foreach', 'clip_value')
_PARAMWISE = Slot(keys=(
    'custom_keys', 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult', 'dwconv_decay_mult',
    'flat_decay_mult', 'bypass_duplicate', 'dcn_offset_lr_mult', 'layer_decay_rate',
    'num_layers'))
_LOADER = Slot(
    default=DEFAULT_CLASSES['dataloader'],
    extra=('num_batch_per_epoch', 'disable_subprocess_warning'),
    inner=dict(dataset=_DATASET, sampler=_SAMPLER, batch_sampler=_SAMPLER, collate_fn=_FUNCTION,
               worker_init_fn=_FUNCTION))
_WRAPPER = Slot(
    'OPTIM_WRAPPERS', default=DEFAULT_CLASSES['optim_wrapper'],
    extra=('constructor', 'paramwise_cfg'),
    inner=dict(optimizer=_OPTIMIZER, paramwise_cfg=_PARAMWISE, clip_grad=_CLIP))
_SCHEDULER = Slot('PARAM_SCHEDULERS', extra=('convert_to_iter_based', 'epoch_length'),
                  filled=('optimizer', 'param_name', 'epoch_length'))
_PREPROCESSOR = Slot('MODELS')

# The value of every top-level key; None where it is a plain value.
BY_TOP_LEVEL: dict[str, Slot | None] = dict(
    model=Slot('MODELS', extra=MODEL_KEYS),
    data_preprocessor=_PREPROCESSOR,
    train_dataloader=_LOADER, val_dataloader=_LOADER, test_dataloader=_LOADER,
    val_evaluator=_METRIC, test_evaluator=_METRIC,
    optim_wrapper=_WRAPPER,
    param_scheduler=_SCHEDULER,
    train_cfg=Slot('LOOPS', default=DEFAULT_CLASSES['train_cfg'],
                   default_without=dict(by_epoch=LOOP_OF_ITERATIONS), extra=('by_epoch',),
                   filled=_LOOP),
    val_cfg=Slot('LOOPS', default=DEFAULT_CLASSES['val_cfg'], filled=_LOOP),
    test_cfg=Slot('LOOPS', default=DEFAULT_CLASSES['test_cfg'], filled=_LOOP),
    auto_scale_lr=_keys('enable', 'base_batch_size'),
    default_hooks=Slot('HOOKS', extra=('priority',), named=True),
    custom_hooks=_HOOK,
    env_cfg=_keys(
        'cudnn_benchmark', 'resource_limit',
        mp_cfg=_keys('mp_start_method', 'opencv_num_threads'),
        dist_cfg=_keys('backend', 'init_method', 'timeout', 'world_size', 'rank', 'port',
                       'init_backend')),
    randomness=_keys('seed', 'deterministic', 'diff_rank_seed'),
    log_processor=Slot('LOG_PROCESSORS', default=DEFAULT_CLASSES['log_processor']),
    visualizer=Slot('VISUALIZERS', default=DEFAULT_CLASSES['visualizer']),
    execution=Slot(default=EXECUTION_CLASS),
    custom_imports=_keys('imports', 'allow_failed_imports'),
    tta_model=Slot('MODELS', filled=('module',)),
    tta_pipeline=_TRANSFORM,
    model_wrapper_cfg=Slot('MODEL_WRAPPERS', default=DEFAULT_CLASSES['model_wrapper_cfg'],
                           filled=('module', 'device_ids')),
    data=None, work_dir=None, load_from=None, resume=None, launcher=None, log_level=None,
    default_scope=None, experiment_name=None, find_unused_parameters=None, sync_bn=None,
    runner_type=None, strategy=None, compile=None, activation_checkpointing=None,
    efficient_conv_bn_eval=None)

TOP_LEVEL = tuple(BY_TOP_LEVEL)

# Types of plain values that no signature tells, by key.
PLAIN_TYPES = dict(
    data='str', work_dir='str', load_from='str | None', resume='bool', launcher='str',
    log_level='str | int',
    default_scope='str | None', experiment_name='str | None', find_unused_parameters='bool',
    seed='int | None', deterministic='bool', diff_rank_seed='bool', enable='bool',
    base_batch_size='int', cudnn_benchmark='bool', opencv_num_threads='int',
    mp_start_method='str', backend='str', allow_failed_imports='bool', action_epoch='int')

# The value of an argument of this name, whatever class takes it.
BY_PARAMETER: dict[str, Slot] = dict(
    pipeline=_TRANSFORM, transforms=_TRANSFORM, train_pipeline=_TRANSFORM,
    policies=Slot('TRANSFORMS', extra=('magnitude_key',)),
    dataset=_DATASET, datasets=_DATASET, sampler=_SAMPLER, batch_sampler=_SAMPLER,
    optimizer=_OPTIMIZER, clip_grad=_CLIP, paramwise_cfg=_PARAMWISE,
    backbone=_MODEL, neck=_MODEL, head=_MODEL, loss=_MODEL, data_preprocessor=_PREPROCESSOR,
    norm_cfg=Slot('MODELS', extra=('requires_grad',), filled=('num_features',)),
    act_cfg=_MODEL, conv_cfg=Slot('MODELS', guessed=True),
    init_cfg=Slot('WEIGHT_INITIALIZERS', extra=('layer', 'override')),
    override=Slot('WEIGHT_INITIALIZERS', extra=('name', 'layer'), guessed=True),
    augments=_AUGMENT, batch_augments=_AUGMENTS,
    metrics=_METRIC, vis_backends=Slot('VISBACKENDS'), tokenizer=Slot('TOKENIZER', guessed=True))

# What the builder of a registry reads and supplies, whichever class's argument it builds.
_BY_REGISTRY = {slot.registry: slot for slot in (_SAMPLER, _FUNCTION, _HOOK, _OPTIMIZER,
                                                 _SCHEDULER)}

# Hooks that the Runner adds by itself, by the name under which a config replaces them.
DEFAULT_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler',
                 'checkpoint')

# The names under which a config has hooks; others may be had too, but not by a slip of one letter.
HOOK_NAMES = (*DEFAULT_HOOKS, 'early_stopping')


def slot_of(built: object) -> Slot | None:
    """What a class declares that it builds of an argument (`Facts.builds`); None for plain values.

    >>> slot_of({'probs': None, 'augments': 'BATCH_AUGMENTS'}).keys
    ('probs', 'augments')
    """
    if built is None:
        return None
    if isinstance(built, dict):
        return Slot(keys=tuple(built), inner={key: slot for key, item in built.items()
                                              if (slot := slot_of(item)) is not None})
    registry, *supplied = built if isinstance(built, list | tuple) else [str(built)]
    usual = _BY_REGISTRY.get(registry, Slot(registry))
    return replace(usual, filled=(*usual.filled, *supplied))


def slot_of_loader(loader: tuple[str, str] | None) -> Slot:
    """What a `*_dataloader` section is built into, by the loader that its data set needs.

    >>> slot_of_loader(None).default
    ('torch.utils.data.dataloader', 'DataLoader')
    """
    return _LOADER if loader is None else Slot(default=loader, inner=dict(dataset=_DATASET))


def preprocessor_slot(default: str | None) -> Slot:
    """The top-level preprocessor, by the class that the model gives it where it names none.

    >>> preprocessor_slot(None).default, preprocessor_slot('SelfSupDataPreprocessor').default
    ('ClsDataPreprocessor', 'SelfSupDataPreprocessor')
    """
    return Slot('MODELS', default=default or DEFAULT_CLASSES['data_preprocessor'],
                extra=('num_classes',))
