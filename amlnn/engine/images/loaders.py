"""Data loaders of images, whose items are views; and their pixels from a cache."""

import copy
import shlex
from contextlib import suppress

import torch
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from amlnn.config.kind import PARTS, part_data_sets
from amlnn.config.own_modules import is_librarys
from amlnn.data.cache.cache_folder import cache_root
from amlnn.data.images.listed import check_listed
from amlnn.data.images.views import ViewDataset, draws_nothing
from amlnn.data.prepare.integrity import check_files
from amlnn.data.prepare.manifest import SPLIT_FOLDERS
from amlnn.engine.images.classes import typed_count
from amlnn.engine.plan import Plan
from amlnn.engine.processes import alone, processes
from amlnn.engine.rehearsal import as_config_error, kept_generators
from amlnn.errors import AmlnnError, ConfigError, DataError
from amlnn.signals import WorkerStart, worker_context

__all__ = ['always_alike', 'build_loader', 'fit_loaders', 'training_views']


def build_loader(plan: Plan, part: str, classes: list[str] | None = None) -> DataLoader:
    """The data loader of 'train', 'val' or 'test', its items being views.

    Args:
        plan: What will be built.
        part: Which.
        classes: The class names that the model goes by, where they are known.

    Raises:
        DataError: the data set cannot be read, or has another number of classes than the model.
    """
    section = copy.deepcopy(plan.config[f'{part}_dataloader'])
    sampler = section.get('sampler') or dict(type='DefaultSampler', shuffle=part == 'train')
    if str(sampler.get('type')).rpartition('.')[2] == 'InfiniteSampler':
        place = plan.loaded.origins.get(f'{part}_dataloader.sampler.type', plan.loaded.path)
        raise ConfigError(f'{place}: an InfiniteSampler never ends an epoch, and runs here are '
                          'counted in epochs',
                          hint="sampler=dict(type='DefaultSampler', shuffle=True)")
    section['dataset'] = dict(type='ViewDataset', dataset=section['dataset'], seed=plan.seed)
    section['sampler'] = dict(type='ViewSampler', sampler=sampler,
                              views=plan.policy.views if part == 'train' else 1,
                              share=_share(section, part))
    for leaf in part_data_sets(plan.config, part):
        if leaf.get('data_root') and leaf.get('split') in SPLIT_FOLDERS:
            check_files(leaf['data_root'], leaf['split'])
    try:
        with alone():  # samplers of the libraries take a share by themselves
            loader = Runner.build_dataloader(section, seed=plan.seed)
    except AmlnnError:
        raise
    except Exception as error:
        said = ' '.join(str(error).split())[:200]
        if not isinstance(error, OSError | RuntimeError | AssertionError | ValueError):
            said = f'{type(error).__name__}: {said}'
        raise DataError(
            f'the {part} data set cannot be read: {said}',
            hint=f'check {part}_dataloader.dataset; python tools/check_config.py --show '
            f'{shlex.quote(str(plan.loaded.path))}') from error
    _check_sampler(loader.sampler.sampler, part, plan)
    check_listed(loader.dataset, part)
    # A loader draws a seed for its workers, persistent ones only once: not from the generator that
    # dropout draws from, or a run would depend on its workers.
    loader.generator = torch.Generator()
    if loader.num_workers:
        loader.worker_init_fn = WorkerStart(loader.worker_init_fn)
        loader.multiprocessing_context = worker_context(loader.multiprocessing_context)
    if part == 'train' and plan.policy.decoded_cache:
        _cache_images(loader.dataset, plan)
    names = loader.dataset.metainfo.get('classes')
    count = typed_count(plan.config)
    if names and count and len(names) != count:
        place = plan.loaded.origins.get('model.head.num_classes', 'classes.txt')
        raise DataError(f'the {part} data set has {len(names)} classes, the model has {count} '
                        f'({place})', hint=f'set model.head.num_classes={len(names)}')
    if names and classes and list(names) != list(classes):
        different = next((pair for pair in zip(names, classes, strict=False)
                          if pair[0] != pair[1]), (len(names), len(classes)))
        raise DataError(f'the {part} data set numbers its classes otherwise than the model: '
                        f'`{different[0]}` where the model has `{different[1]}`',
                        hint='prepare the data with the same classes')
    return loader


def training_views(plan: Plan) -> ViewDataset | None:
    """The training part, to compare another one with; None where it cannot be read.

    Nor where its class keeps its parts apart by itself (see `HeldOutDataset`).
    """
    leaves = part_data_sets(plan.config, 'train')
    if not leaves or all('data_root' in getattr(DATASETS.get(str(leaf.get('type'))),
                                                'same_in_every_part', ()) for leaf in leaves):
        return None
    with suppress(Exception):  # whatever it is: it is not what is tested
        return ViewDataset(copy.deepcopy(plan.config['train_dataloader']['dataset']), plan.seed)
    return None


def always_alike(dataset) -> bool:
    """Whether a data set gives the same images in every epoch, as far as that is known."""
    inner = [] if not isinstance(dataset, dict) else \
        dataset.get('datasets') or ([dataset['dataset']] if 'dataset' in dataset else [])
    return isinstance(dataset, dict) and draws_nothing(dataset.get('pipeline') or ()) \
        and all(map(always_alike, inner))


def fit_loaders(config) -> None:
    """Fill in what torch's loaders have no use for leaving out."""
    for part in PARTS:
        loader = config.get(f'{part}_dataloader')
        if not loader:
            continue
        loader.setdefault('collate_fn', dict(type='default_collate'))
        if not loader.get('num_workers'):
            loader['num_workers'] = 0
            loader['persistent_workers'] = False
            loader.pop('prefetch_factor', None)


def _share(section: dict, part: str) -> dict | None:
    """What this process takes of a part, if it is one of several."""
    all_ = processes()
    if not all_.several:
        return None
    if part == 'train' and section.get('num_batch_per_epoch') is not None:
        section['num_batch_per_epoch'] *= all_.count  # MMEngine cuts the data set by it
    return dict(rank=all_.rank, count=all_.count, batch=section.get('batch_size', 1),
                whole=part != 'train', drop_last=section.get('drop_last', False))


def _check_sampler(sampler, part: str, plan: Plan) -> None:
    """Refuse a library's sampler that cannot be followed, or gives nothing.

    One of a user's own may count how often it is asked, and waits for the run.
    """
    module = type(sampler).__module__
    if not is_librarys(module) and not module.startswith('torch.'):
        return
    place = plan.loaded.origins.get(f'{part}_dataloader.sampler.type', plan.loaded.path)
    with kept_generators(), as_config_error(f'{place}: {type(sampler).__name__}'):
        first = next(iter(sampler), None)
    if first is None:
        raise ConfigError(f'{place}: {type(sampler).__name__} gives no images of the {part} part',
                          hint=f'compare the other arguments of {part}_dataloader.sampler')


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
        cache = DecodedCache.open(cache_root(), list(paths), plan.policy.cache_bytes,
                                  warn=plan.notes.append)
    if not cache.useful:
        return
    for steps in loaders:
        use_cache(steps, cache)
    if not any(getattr(step, 'cache', None) is cache for steps in loaders for step in steps):
        plan.notes.append('execution.decoded_cache does nothing: the pipeline does not decode '
                          'local files in colour with OpenCV')
