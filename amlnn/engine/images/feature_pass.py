"""What a config's backbone makes of the images of a part: one pass, kept on disk.

A pass gives the pooled output of every stage. What the feature store has is read, only the rest is
computed, and a pass that was interrupted goes on where it stopped: rows are written batch by batch.
"""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from mmengine.dataset import default_collate
from torch import Tensor, nn
from torch.utils.data import DataLoader

from amlnn.config.kind import part_data_sets
from amlnn.data.cache.room import HELD, room
from amlnn.data.images.views import View, ViewDataset
from amlnn.engine.device import set_environment
from amlnn.engine.images.feature_loader import FeatureLoader
from amlnn.engine.images.loaders import build_loader
from amlnn.engine.images.sameness import Extent
from amlnn.engine.images.stored_trunk import StoredTrunk
from amlnn.engine.images.trunk_engine import TrainingImages, TrunkChoice
from amlnn.engine.kinds import in_scope
from amlnn.engine.plan import Plan
from amlnn.engine.rehearsal import as_config_error
from amlnn.engine.seeding import seed_epoch
from amlnn.engine.task import Task
from amlnn.errors import ConfigError, DataError, UsageError
from amlnn.models.images.freezing import freeze_model
from amlnn.models.images.stages import list_stages
from amlnn.models.images.stages_trunk import StagesTrunk
from amlnn.models.images.trunk import why_not

__all__ = ['FeaturePass', 'PartFeatures']

# N images, S numbers of all stages together, C of one


def _ignore(done: int, total: int) -> None:
    """Where nobody wants to know."""


@dataclass
class PartFeatures:
    """Features of the images of a part, in the order of its data set."""

    ids: list[str]
    """Paths below the data root, as in a run's predictions."""
    labels: np.ndarray
    """int64 [N]."""
    classes: list[str]
    """Their names, in the order of the numbers."""
    stages: dict[str, np.ndarray]
    """By stage, from the first on: float32 [N, C], its output averaged over positions. The last
    is what the head takes."""
    computed: int = 0
    """Images that were computed; the others were read."""
    seconds: float = 0.0
    """Of the pass, reading included."""
    notes: list[str] = field(default_factory=list)
    """Lines that a user may want to know: what computed, what the cache could not do."""

    @property
    def features(self) -> np.ndarray:
        """What the head takes, float32 [N, C]."""
        return self.stages[next(reversed(self.stages))]


@dataclass
class FeaturePass:
    """The passes of one config: its model is built once.

    Args:
        task: Of a config that classifies images.

    Raises:
        UsageError: it does not.
        ConfigError: its backbone has no stages to be looked at, or there is no part to take an
            evaluation's pipeline from.
        DataError: the data cannot be read.
    """

    task: Task
    _said: list[str] = field(default_factory=list, init=False)
    _notes: list[str] = field(default_factory=list, init=False)
    _loaders: dict[str, DataLoader] = field(default_factory=dict, init=False)
    _computed: int = field(default=0, init=False)

    def __post_init__(self):
        config, path = self.task.plan.config, self.task.plan.loaded.path
        if self.task.kind != 'classification':
            raise UsageError(f'`{path}` is of the kind `{self.task.kind}`, and features are those '
                             'of images', hint='name a config that classifies images')
        if not part_data_sets(config, 'val'):
            raise ConfigError(f'`{path}` has no `val_dataloader`, by whose pipeline images are '
                              'seen as they are tested',
                              hint='inherit a base from configs/_base_/datasets')

    def of(self, part: str, every_stage: bool = True, view: int = 0,
           on_batch: Callable[[int, int], None] = _ignore) -> PartFeatures:
        """Features of a part; nothing is computed anew that is kept.

        Args:
            part: 'train', 'val' or 'test'.
            every_stage: Whether those of every stage are asked for, or of the last alone. The pass
                is the same.
            view: 0 is the image as it is tested, whatever the part; n the n-th view of the part's
                own pipeline, which augments those of training.
            on_batch: Told how many images are done, and of how many.

        Raises:
            ConfigError: the config has no such part.
            DataError: the data cannot be read, have no single labels, a feature is not finite, or
                all training images have the same.
        """
        plan = self._plan(part, own=view > 0)
        begin, before = time.perf_counter(), len(self._notes)
        with in_scope(plan.config), as_config_error(f'the features of the {part} part'):
            set_environment(plan.config.get('env_cfg') or {})
            dataset = self._loader(plan, part).dataset
            rows = dataset.distinct()
            found = PartFeatures([dataset.key(row) for row in rows], _labels(dataset, rows, part),
                                 list(self.task.classes or ()), {})
            batches = self._batches(plan, part, rows, max(view - 1, 0))
            extent = self._fill(found, batches, every_stage, on_batch)
            if part == 'train':
                self._refuse_same(extent)
            found.computed = self._computed
        found.seconds = time.perf_counter() - begin
        found.notes = [*self._said, *self._notes[before:]]
        return found

    def labels(self, part: str) -> np.ndarray:
        """Of the images of a part, int64 [N], before any is looked at; errors as of `of`."""
        plan = self._plan(part)
        with in_scope(plan.config):
            dataset = self._loader(plan, part).dataset
            return _labels(dataset, dataset.distinct(), part)

    @cached_property
    def model(self) -> nn.Module:
        """The classifier with the config's weights, all of its backbone frozen."""
        plan = self.task.plan
        with in_scope(plan.config):
            seed_epoch(plan.seed, -1)  # as a training begins: a network without weights is the same
            model, _ = self.task.build_model()
            preprocessor = model.data_preprocessor
            if getattr(preprocessor, 'batch_augments', None) is not None:
                preprocessor.batch_augments = None  # evaluations do not mix
            freeze_model(model, 'all')
            if reason := why_not(model):
                raise ConfigError(f'`{plan.loaded.path}`: features cannot be taken from its '
                                  f'backbone: {reason}', hint='name a config of another backbone: '
                                  'python tools/backbones.py NAME says what one can do')
        return model.eval()

    @cached_property
    def trunk(self) -> StagesTrunk:
        """What computes them; also in `notes` in words."""
        plan = self._plan('train')
        with in_scope(plan.config):
            images = TrainingImages(self.model, {'train': self._loader(plan, 'train')}, views=1)
            choice = TrunkChoice(plan, self.model, self._split, images, every_stage=True)
            trunk, said = choice.trunk()
        self._said = [f'features {said}'] if said else []
        return trunk

    @property
    def backbone(self) -> nn.Module:
        """Of the model."""
        return self.model.backbone

    @property
    def _split(self) -> int:
        return len(list_stages(self.backbone))

    def _plan(self, part: str, own: bool = False) -> Plan:
        """The task's plan, the part's images being those of an evaluation where not their own."""
        plan = self.task.plan
        if not part_data_sets(plan.config, part):
            raise ConfigError(f'`{plan.loaded.path}` has no `{part}_dataloader`',
                              hint='inherit a base from configs/_base_/datasets')
        config = copy.deepcopy(plan.config)
        if part == 'train' and not own:
            pipeline = part_data_sets(config, 'val')[0].get('pipeline')
            for leaf in part_data_sets(config, 'train'):
                if pipeline is not None:
                    leaf['pipeline'] = copy.deepcopy(pipeline)
        for key in ('sampler', 'num_batch_per_epoch', 'drop_last'):
            config[f'{part}_dataloader'].pop(key, None)
        return replace(plan, config=config)

    def _loader(self, plan: Plan, part: str) -> DataLoader:
        key = part + repr([leaf.get('pipeline') for leaf in part_data_sets(plan.config, part)])
        if key not in self._loaders:
            self._loaders[key] = build_loader(plan, part, self.task.classes)
            if self.task.classes is None:
                names = self._loaders[key].dataset.metainfo.get('classes')
                self.task.classes = list(names or ()) or None
        return self._loaders[key]

    def _batches(self, plan: Plan, part: str, rows: Sequence[int], view: int) -> FeatureLoader:
        """Batches of features of the rows, in their order."""
        images = self._loader(plan, part)
        dataset, size = images.dataset, images.batch_size or 1
        sample = default_collate([dataset[View(rows[0], view)]])
        shape = self.trunk.shape_of(self.model.data_preprocessor(sample, False)['inputs'])
        store = StoredTrunk(plan, self.model, self.trunk, self._split).store(
            plan.config[f'{part}_dataloader']['dataset'], dataset, shape, view + 1,
            self._notes.append)
        batches = [[View(row, view) for row in rows[start:start + size]]
                   for start in range(0, len(rows), size)]
        return FeatureLoader(self._features, lambda sample: None, DataLoader(
            dataset, batch_sampler=batches, num_workers=images.num_workers,
            collate_fn=images.collate_fn, worker_init_fn=images.worker_init_fn,
            generator=images.generator, prefetch_factor=images.prefetch_factor,
            pin_memory=images.pin_memory, timeout=images.timeout,
            multiprocessing_context=images.multiprocessing_context), store, keep=True)

    def _fill(self, found: PartFeatures, batches: FeatureLoader, every_stage: bool,
              on_batch: Callable[[int, int], None]) -> Extent:
        columns = dict(self._columns())
        if not every_stage:
            columns = dict([list(columns.items())[-1]])
        total, done, self._computed, extent = len(found.ids), 0, 0, Extent()
        size = 4 * total * sum(each.stop - each.start for each in columns.values())
        found.stages = {name: room(total, each.stop - each.start, size <= HELD)
                        for name, each in columns.items()}
        try:
            for batch in batches:
                rows_BS = batch['inputs'].cpu().numpy()
                extent.add(rows_BS)
                for name, each in columns.items():
                    found.stages[name][done:done + len(rows_BS)] = rows_BS[:, each]
                done += len(rows_BS)
                on_batch(done, total)
        finally:
            batches.store.close()
        return extent

    def _columns(self) -> Iterator[tuple[str, slice]]:
        """Where the numbers of each stage are."""
        start = 0
        for name, width in self.trunk.widths.items():
            yield name, slice(start, start + width)
            start += width

    def _features(self, batch: dict) -> Tensor:
        ids = [sample.metainfo.get('id') for sample in batch['data_samples']]
        rows_BS = self.trunk(self.model.data_preprocessor(batch, False)['inputs'])
        if not bool(torch.isfinite(rows_BS).all()):  # asked before anything is kept
            self._refuse(ids, rows_BS)
        self._computed += len(rows_BS)
        return rows_BS

    def _refuse(self, ids: list[str], rows_BS: Tensor) -> None:
        wrong_BS = ~torch.isfinite(rows_BS)
        row = int(wrong_BS.any(1).nonzero()[0])
        stage = next(name for name, each in self._columns() if bool(wrong_BS[row, each].any()))
        plan = self.task.plan
        raise DataError(
            f'`{plan.loaded.path}`: the features of `{ids[row]}` are not finite from {stage} on, '
            f'in {plan.precision}',
            hint='look at the weights (model.pretrained), at model.data_preprocessor, and try '
            '--cfg-options execution.precision=fp32')

    def _refuse_same(self, extent: Extent) -> None:
        """Refuse training images that have the same features at the end."""
        stages = list(self._columns())
        if extent.differ(stages[-1][1]):
            return
        first = next(name for place, (name, _) in enumerate(stages)
                     if not any(extent.differ(each) for _, each in stages[place:]))
        raise DataError(
            f'`{self.task.plan.loaded.path}`: the features of all {extent.count:,} images of the '
            f'train part are the same from {first} on',
            hint='look at data_preprocessor.std and the steps of val_dataloader.dataset.pipeline, '
            'at the weights (model.pretrained), and whether the files differ: python '
            'data_preprocess.py --check FOLDER')


def _labels(dataset: ViewDataset, rows: Sequence[int], part: str) -> np.ndarray:
    labels = np.empty(len(rows), np.int64)
    for place, row in enumerate(rows):
        label = dataset.get_data_info(row).get('gt_label')
        if label is None or np.ndim(label) or not float(label).is_integer():
            raise DataError(f'`{dataset.key(row)}` of the {part} part has '
                            f'{"no label" if label is None else "several labels"}',
                            hint='features are looked at by the one class of each image')
        labels[place] = int(label)
    return labels
