"""Builds the parts of a plan: model with weights and freezing, data loaders, evaluators."""

import atexit
import copy
import gc
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from amlnn.config.kind import run_kind
from amlnn.config.load import LoadedConfig
from amlnn.data.cache.cache_folder import cache_root
from amlnn.data.images.views import View, ViewDataset
from amlnn.data.prepare.integrity import check_files
from amlnn.data.prepare.manifest import SPLIT_FOLDERS
from amlnn.engine.adapt import Plan, adapt, leaf_datasets
from amlnn.engine.memory import keep_freed_memory
from amlnn.engine.precision import autocast
from amlnn.engine.series import FirstBatch
from amlnn.errors import AmlnnError, ConfigError, DataError
from amlnn.models.images.freezing import freeze
from amlnn.models.images.weights import LoadedWeights, find_weights, load_pretrained
from amlnn.quiet import quiet_imports
from amlnn.registry import SERIES_MODULES, import_components

__all__ = ['build_evaluator', 'build_loader', 'build_model', 'check_features', 'choose_device',
           'device_name', 'forward_context', 'hide_accelerators', 'in_scope', 'one_batch',
           'parameter_names']


def choose_device(name: str) -> str:
    """'cpu' or 'cuda' from 'auto', 'cpu' or 'cuda'; prepares the process for it.

    Raises:
        ConfigError: 'cuda' was asked for and there is none.
    """
    available = torch.cuda.is_available()
    if name == 'cuda' and not available:
        raise ConfigError('--device cuda, and this machine has no usable GPU',
                          hint='--device auto takes what there is')
    device = 'cuda' if available and name != 'cpu' else 'cpu'
    if device == 'cpu':
        keep_freed_memory()
    return device


def hide_accelerators(device: str) -> None:
    """Before 'cpu' is chosen: MMEngine takes an accelerator wherever it sees one."""
    if device == 'cpu':
        os.environ['CUDA_VISIBLE_DEVICES'] = '-1'


@contextmanager
def in_scope(config) -> Iterator[None]:
    """Names in a config are looked up in its default scope; amlnn's components are registered."""
    forecasting = run_kind(config) == 'forecasting'
    with quiet_imports():
        if forecasting:
            import_components(SERIES_MODULES)
        else:
            import mmpretrain.datasets
            import mmpretrain.engine
            import mmpretrain.evaluation
            import mmpretrain.models  # noqa: F401 - registers its classes

            import_components()
    if not gc.get_freeze_count():
        # MMEngine collects garbage whenever it packs a data set: two seconds each, nearly all of it
        # over the libraries' own objects, which stay. Forked workers then share their memory too.
        gc.freeze()
        atexit.register(gc.unfreeze)  # else extension modules speak of leaks on the way out
    # MMEngine logs to whatever logger came last; until a run has one, only errors reach the screen.
    if not MMLogger.check_instance_created('amlnn'):
        MMLogger.get_instance('amlnn', log_level='ERROR')
    usual = 'mmengine' if forecasting else 'mmpretrain'
    with DefaultScope.overwrite_default_scope(config.get('default_scope') or usual):
        yield


def build_model(plan: Plan,
                weights: bool = True) -> tuple[nn.Module, LoadedWeights | str | None]:
    """Build, initialise, load pretrained weights, freeze, place on the device.

    Args:
        plan: From `adapt`.
        weights: False leaves weights as they come, for a checkpoint that follows.

    Raises:
        AmlnnError: of weights or freezing, before anything is trained.
    """
    options = plan.model_options
    if plan.series is not None:
        model = _build(plan.config['model'].to_dict())
        loaded = None
        if weights:
            _initialise(model)
            if options.pretrained:
                loaded = plan.series.load_pretrained(model, options.pretrained)
        return model.to(plan.device), loaded
    # Looked for before the seconds of building, so that a missing file is said at once.
    source = find_weights(options.pretrained) if weights and options.pretrained else None
    section = copy.deepcopy(plan.config['model'])
    if plan.config.get('data_preprocessor') is not None:
        section.setdefault('data_preprocessor', copy.deepcopy(plan.config['data_preprocessor']))
    model = _build(section)
    loaded = None
    if weights:
        _initialise(model)
        loaded = load_pretrained(model, source, options.pretrained_head) if source else None
    if options.frozen_stages is not None:
        freeze(model.backbone, options.frozen_stages, options.trainable)
    elif options.trainable:
        raise ConfigError('`model.trainable` re-opens parts of frozen stages, and '
                          '`model.frozen_stages` is not set', hint="set model.frozen_stages='all'")
    return plan.policy.place(model.to(plan.device)), loaded


def build_loader(plan: Plan, part: str):
    """The data loader of 'train', 'val' or 'test', its items being views.

    Raises:
        DataError: the data set cannot be read, or has another number of classes than the model.
    """
    if plan.series is not None:
        return plan.series.loader(part)
    section = copy.deepcopy(plan.config[f'{part}_dataloader'])
    sampler = section.get('sampler') or dict(type='DefaultSampler', shuffle=part == 'train')
    section['dataset'] = dict(type='ViewDataset', dataset=section['dataset'], seed=plan.seed)
    section['sampler'] = dict(type='ViewSampler', sampler=sampler,
                              views=plan.policy.views if part == 'train' else 1)
    for leaf in leaf_datasets(section['dataset']['dataset']):
        if leaf.get('data_root') and leaf.get('split') in SPLIT_FOLDERS:
            check_files(leaf['data_root'], leaf['split'])
    try:
        loader = Runner.build_dataloader(section, seed=plan.seed)
    except AmlnnError:
        raise
    except (OSError, RuntimeError, AssertionError, ValueError) as error:
        raise DataError(
            f'the {part} data set cannot be read: {" ".join(str(error).split())[:200]}',
            hint=f'check {part}_dataloader.dataset; python tools/check_config.py --show '
            f'{plan.loaded.path}') from error
    # A loader draws a seed for its workers, persistent ones only once: not from the generator that
    # dropout draws from, or a run would depend on its workers.
    loader.generator = torch.Generator()
    if part == 'train' and plan.policy.decoded_cache:
        _cache_images(loader.dataset, plan)
    names = loader.dataset.metainfo.get('classes')
    count = (plan.config['model'].get('head') or {}).get('num_classes')
    if names and count and len(names) != count:
        place = plan.loaded.origins.get('model.head.num_classes', 'classes.txt')
        raise DataError(f'the {part} data set has {len(names)} classes, the model has {count} '
                        f'({place})', hint=f'set model.head.num_classes={len(names)}')
    if names and plan.classes and list(names) != list(plan.classes):
        different = next((pair for pair in zip(names, plan.classes, strict=False)
                          if pair[0] != pair[1]), (len(names), len(plan.classes)))
        raise DataError(f'the {part} data set numbers its classes otherwise than the model: '
                        f'`{different[0]}` where the model has `{different[1]}`',
                        hint='prepare the data with the same classes')
    return loader


@torch.no_grad()
def check_features(model: nn.Module, loader: DataLoader) -> None:
    """Ask with one image whether a classifier's head takes what comes to it.

    Raises:
        ConfigError: it does not; said before a run begins.
    """
    from amlnn.models.images.heads import check_head  # brings in MMPretrain
    if getattr(model, 'head', None) is None or not hasattr(model, 'extract_feat'):
        return
    batch = loader.collate_fn([loader.dataset[View(0, 0)]])
    model.eval()
    check_head(model.head, model.extract_feat(model.data_preprocessor(batch, False)['inputs']))


def build_evaluator(plan: Plan, part: str, loader) -> Evaluator:
    """The evaluator of a part, told the class names.

    Raises:
        ConfigError: a metric needs to know of the classes what the data set does not say.
    """
    section = copy.deepcopy(plan.config[f'{part}_evaluator'])
    evaluator = Evaluator(section if isinstance(section, list | tuple) else [section])
    evaluator.dataset_meta = loader.dataset.metainfo if plan.series is None \
        else plan.series.evaluation_meta(part)
    for metric in evaluator.metrics:
        needed = getattr(metric, 'needs', None)
        if needed and evaluator.dataset_meta.get(needed) is None:
            kinds = sorted({type(leaf).__name__ for leaf in loader.dataset.leaves})
            raise ConfigError(
                f'{part}_evaluator: {type(metric).__name__} needs `{needed}` of the classes, and '
                f'{", ".join(kinds)} does not have it',
                hint=f'take {type(metric).__name__} out of {part}_evaluator, or take a data set '
                'that has it')
    return evaluator


def forward_context(plan: Plan):
    """A function that makes the context of a forward pass without gradients."""
    return lambda: autocast(plan.device, plan.precision)


def parameter_names(loaded: LoadedConfig) -> list[str]:
    """Names of the parameters of a config's model, built without weights or data."""
    typed = (loaded.config['model'].get('head') or {}).get('num_classes')
    with in_scope(loaded.config):
        plan = adapt(loaded, 'cpu', pretrained='none', class_count=typed or 2)
        model = _build(plan.config['model'])
    return [name for name, _ in model.named_parameters()]


def one_batch(loader: DataLoader) -> DataLoader:
    """A loader of the first batch of another, in this process."""
    if not isinstance(loader, DataLoader):
        return FirstBatch(loader.dataset, loader.batch_size)
    size = min(loader.batch_size, len(loader.dataset))
    views = [View(index, 0) for index in range(size)]
    return DataLoader(loader.dataset, batch_size=size, sampler=views, collate_fn=loader.collate_fn)


def device_name(device: str) -> str:
    """'cpu', or the accelerator's own name."""
    return torch.cuda.get_device_name() if device == 'cuda' else 'cpu'


def _build(section) -> nn.Module:
    try:
        with warnings.catch_warnings():
            # mmcv remarks on layers as papers have them: a bias before a norm, a sigmoid of 6.
            warnings.filterwarnings('ignore', module=r'mmcv\.cnn')
            return MODELS.build(section)
    except AmlnnError:
        raise
    except Exception as error:
        text = ' '.join(str(error).split())
        raise ConfigError(f'the model cannot be built: {text[:300]}',
                          hint='run again with --traceback for the place in the code') from error


def _cache_images(views: ViewDataset, plan: Plan) -> None:
    """Let a data set's pipelines take pixels from the disk or from memory that were decoded."""
    from amlnn.data.cache.decoded import (  # bring in mmcv, which no forecast needs
        DecodedCache,
        LoadImageFromFile,
        use_cache,
    )
    from amlnn.data.cache.decoded_memory import MemoryCache
    paths = dict.fromkeys(views.get_data_info(index).get('img_path')
                          for index in range(len(views)))
    paths.pop(None, None)
    if not paths:
        plan.notes.append('execution.decoded_cache does nothing: the training images come as '
                          'pixels, and no file is decoded')
        return
    loaders = [leaf.pipeline.transforms for leaf in views.leaves if hasattr(leaf, 'pipeline')]
    if not any(type(step) is LoadImageFromFile for steps in loaders for step in steps):
        plan.notes.append('execution.decoded_cache does nothing: the pipeline does not decode '
                          'files with LoadImageFromFile')
        return
    if plan.policy.decoded_cache == 'memory':
        cache = MemoryCache.open(list(paths), warn=plan.notes.append)
    else:
        limit = plan.policy.cache_gb
        cache = DecodedCache.open(cache_root(), list(paths),
                                  None if limit is None else int(limit * 1e9),
                                  warn=plan.notes.append)
    if not cache.useful:
        return
    for steps in loaders:
        use_cache(steps, cache)
    if not any(getattr(step, 'cache', None) is cache for steps in loaders for step in steps):
        plan.notes.append('execution.decoded_cache does nothing: the pipeline does not decode '
                          'local files in colour with OpenCV')


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _initialise(model: nn.Module) -> None:
    # MMEngine reads `init_cfg=dict(type='Pretrained')` with the safe loader and, where that
    # refuses, with the one that runs code; this keeps it from doing so.
    with _environment('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1'):
        if hasattr(model, 'init_weights'):
            model.init_weights()
