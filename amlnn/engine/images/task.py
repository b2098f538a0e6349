"""Classifying images: the task that MMPretrain's models and data sets are for."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import nn
from torch.utils.data import DataLoader

from amlnn.browsed import Given
from amlnn.config.kind import PARTS, part_data_sets
from amlnn.config.load import LoadedConfig
from amlnn.config.mmpretrain_form import stored_text
from amlnn.config.openings import unfreeze_text
from amlnn.console import say
from amlnn.data.images.layout import choices_of, data_hash, layout_of
from amlnn.data.images.listed import check_apart
from amlnn.data.images.views import View
from amlnn.engine.build import build, initialise
from amlnn.engine.images.class_facts import class_facts, tell_counts
from amlnn.engine.images.classes import cut_topk, derive_classes, typed_count
from amlnn.engine.images.evaluation import Evaluation, evaluate, write_predictions
from amlnn.engine.images.loaders import (
    always_alike,
    build_loader,
    fit_loaders,
    training_views,
)
from amlnn.engine.images.predict import check_inputs, predict
from amlnn.engine.images.pretrained import IMAGENET_CLASSES, head_classes
from amlnn.engine.images.sameness import refuse_same_images
from amlnn.engine.images.sizes import fixed_size, spread_images
from amlnn.engine.images.staging import ImageStaging
from amlnn.engine.images.tta import augment_pipeline, averaging
from amlnn.engine.plan import make_plan
from amlnn.engine.rehearsal import kept_generators, take_step
from amlnn.engine.run.runner import FolderRunner
from amlnn.engine.run.versions import vision_versions
from amlnn.engine.task import Task
from amlnn.engine.weights import PRETRAINED, Weights
from amlnn.errors import ConfigError, DataError, UsageError
from amlnn.models.images.completing import follows_from_backbone
from amlnn.models.images.freezing import freeze_model, parts_of, stage_table
from amlnn.models.images.inputs import fill_inputs, size_of
from amlnn.models.images.networks import refuse_other_models
from amlnn.models.images.weights import load_pretrained, refuse_frozen_gaps
from amlnn.models.images.weights_init import InitWeights
from amlnn.models.images.weights_place import find_weights
from amlnn.records import FrozenStage, TestRecord
from amlnn.registry import import_components

__all__ = ['ImageTask', 'KnownClasses']


@dataclass
class KnownClasses:
    """What weights know of the classes they were trained on."""

    names: list[str] | None = None
    count: int | None = None
    """Of those without names."""
    own_weights: bool = False
    """They are those that the config itself names."""


class ImageTask(Task):
    """A classifier and a data set of images; see `Task`."""

    kind = 'classification'
    samples = 'images'
    rate = 'img'
    scope = 'mmpretrain'
    engine = 'torch'

    @classmethod
    def register(cls) -> None:
        """Import MMPretrain and amlnn's components."""
        import mmpretrain.datasets
        import mmpretrain.engine
        import mmpretrain.evaluation
        import mmpretrain.models  # noqa: F401 - registers its classes

        import_components()

    @classmethod
    def check_data(cls, config, parts: tuple[str, ...]) -> None:
        """Refuse a config whose data folder is not there.

        Raises:
            DataError: names the missing folder and how to make it.
        """
        for part in parts:
            for leaf in part_data_sets(config, part):
                root = leaf.get('data_root')
                if root and not Path(root).is_dir():
                    import_components()  # to know its kind; nothing but this error waits for it
                    raise DataError(
                        f'no data set at `{root}`',
                        hint=f'{layout_of(leaf).how_to_get(str(root))}, or name another folder: '
                        '--data <folder>')

    @classmethod
    def known_to(cls, weights: Weights, loaded: LoadedConfig) -> KnownClasses:
        """The classes of a checkpoint, or of the config's pretrained head.

        Raises:
            AmlnnError: there is no such head.
        """
        if weights.path == PRETRAINED:
            return KnownClasses(count=head_classes(loaded), own_weights=True)
        names = (weights.meta.get('dataset_meta') or {}).get('classes')
        weight = weights.content['state_dict'].get('head.fc.weight')
        return KnownClasses(list(names) if names else None,
                            weight.shape[0] if isinstance(weight, torch.Tensor) else None)

    @classmethod
    def open(cls, loaded: LoadedConfig, device: str, seed: int | None = None,
             pretrained: str | None = None, known: KnownClasses | None = None) -> 'ImageTask':
        """See `Task`.

        Raises:
            ConfigError: two class counts disagree.
            DataError: none is known.
        """
        known = known or KnownClasses()
        refuse_other_models(loaded.config['model'])
        task = cls(make_plan(loaded, device, seed, pretrained))
        config, plan = task.plan.config, task.plan
        plan.notes += fill_inputs(config)
        section = _first_dataset(config) or {}
        data_root = section.get('data_root')
        # A checkpoint knows its classes; whether a data set fits them is asked when it is opened.
        names = known.names
        if not names and data_root:
            names = layout_of(section).find_classes(data_root, **choices_of(section))
            if known.count and len(names or ()) != known.count:
                names = None
        count = derive_classes(loaded, config, names, known.count, section,
                               bool(known.names or known.count))
        if names is None and known.own_weights and count == IMAGENET_CLASSES:
            from amlnn.data.images.imagenet_classes import imagenet_classes
            names = imagenet_classes()
        cut_topk(config, count, plan.notes)
        fit_loaders(config)
        if plan.policy.views is None and always_alike((config.get('train_dataloader') or {})
                                                        .get('dataset')):
            plan.policy.views = 1  # else a frozen trunk would compute the same in every epoch
        options = plan.model_options
        if options.unfreeze:
            epochs = (config.get('train_cfg') or {}).get('max_epochs')
            plan.notes.append(unfreeze_text(options.frozen_stages, options.unfreeze, epochs))
        task.classes = names
        task.data_root = data_root and str(Path(data_root).absolute())
        return task

    @classmethod
    def open_bare(cls, loaded: LoadedConfig) -> 'ImageTask':
        """See `Task`; the names do not depend on the number of classes."""
        count = typed_count(loaded.config) or 2
        return cls.open(loaded, 'cpu', pretrained='none', known=KnownClasses(count=count))

    def data_hash(self) -> str | None:
        """What names the images and labels; None where nothing does."""
        section = _first_dataset(self.plan.config)
        return data_hash(section) if section else None

    def build_model(self, weights: bool = True) -> tuple[nn.Module, str | None]:
        """See `Task`."""
        plan, options = self.plan, self.plan.model_options
        # Looked for before the seconds of building, so that a missing file is said at once.
        source = find_weights(options.pretrained) if weights and options.pretrained else None
        inits = InitWeights(plan.config) if weights else None
        section = copy.deepcopy(plan.config['model'])
        if plan.config.get('data_preprocessor') is not None:
            section.setdefault('data_preprocessor', copy.deepcopy(plan.config['data_preprocessor']))
        section.update(copy.deepcopy(self.left_out))
        tell_counts(section, self.class_count, lambda: build_loader(
            self.plan, 'train', self.classes).dataset if weights else None)
        model, loaded = build(section), []
        if weights:
            initialise(model, inits.loader(model))
            loaded = inits.done()
            if source:
                loaded.append(load_pretrained(model, source, options.pretrained_head,
                                              options.pretrained))
        if options.frozen_stages is not None:
            freeze_model(model, options.frozen_stages, options.trainable)
        elif options.trainable:
            raise ConfigError('`model.trainable` re-opens parts of frozen stages, and '
                              '`model.frozen_stages` is not set',
                              hint="set model.frozen_stages='all'")
        self._mix(model)
        self.staging = ImageStaging(plan, model)
        for each in loaded:
            refuse_frozen_gaps(model, each)
        return (plan.policy.place(model.to(plan.device)),
                '\n'.join(map(str, loaded)) if loaded else None)

    def class_facts(self, model: nn.Module, loader) -> dict[str, list[float]]:
        """See `Task`."""
        return class_facts(model, loader)

    def _mix(self, model: nn.Module) -> None:
        """Let a head mix features where the config says so."""
        from amlnn.engine.images.trunk_refusals import refuse_switched_mixing
        from amlnn.models.images.feature_mixup import mix_features  # both bring in MMPretrain
        mix_features(model)
        refuse_switched_mixing(self.plan.config, model)

    def loader(self, part: str) -> DataLoader:
        """The data loader of a part, its items being views (see `build_loader`)."""
        loader = build_loader(self.plan, part, self.classes)
        if self.classes is None:  # the first part says what the others have to be like
            self.classes = list(loader.dataset.metainfo.get('classes') or ()) or None
        return loader

    def first_batch(self, loader: DataLoader, at_most: int | None = None) -> DataLoader:
        """See `Task`."""
        size = min(at_most or loader.batch_size, loader.batch_size, len(loader.dataset))
        views = [View(index, 0) for index in range(size)]
        return DataLoader(loader.dataset, batch_size=size, sampler=views,
                          collate_fn=loader.collate_fn)

    def evaluation_meta(self, part: str, loader) -> dict:
        """The class names, and what else the data set says of its classes."""
        return loader.dataset.metainfo

    def data_set_names(self, loader) -> str:
        """Of the data sets inside wrappers."""
        return ', '.join(sorted({type(leaf).__name__ for leaf in loader.dataset.leaves}))

    def evaluate(self, model: nn.Module, loader, evaluator,
                 on_batch: Callable[[int], None] = lambda images: None,
                 forward: Callable | None = None) -> Evaluation:
        """See `Task`."""
        return evaluate(model, loader, evaluator, self.plan.forward_context, on_batch, forward)

    def write_predictions(self, path: Path, evaluation: Evaluation) -> None:
        """See `Task`; nothing is written where images have no single label."""
        write_predictions(path, evaluation, self.classes or [])

    def stages(self, model: nn.Module) -> list[FrozenStage]:
        """Stage by stage, then neck and head."""
        return stage_table(model)

    def model_parts(self, model: nn.Module) -> list[tuple[str, Callable[[str], bool]]]:
        """See `Task`: stages, neck and head."""
        return parts_of(model)

    def given(self, model: nn.Module, loader, count: int, views: int) -> Given:
        """Images, mixed ones, and how many of each class."""
        from amlnn.engine.images.browse import given_images  # of no use to a training
        return given_images(model, loader, self.classes or (), count, views)

    def bare_model(self) -> nn.Module:
        """See `Task`."""
        return build({**self.plan.config['model'], **self.left_out})

    @cached_property
    def left_out(self) -> dict:
        """Keys of the model's section that follow from its backbone, where they are not typed."""
        return follows_from_backbone(self.plan.config['model'], build, size_of(self.plan.config))

    def filled(self, config):
        """See `Task`."""
        filled = copy.deepcopy(config)
        fill_inputs(filled)
        filled['model'].update(copy.deepcopy(self.left_out))
        return filled

    def config_text(self, config) -> str:
        """Such that MMPretrain's `get_model` reads it too."""
        return stored_text(config, self.class_count, self.filled(config))

    @property
    def class_count(self) -> int | None:
        """How many classes the model's head tells apart, where it says so."""
        return typed_count(self.plan.config)

    def versions(self) -> dict[str, str]:
        """The vision libraries' too."""
        return vision_versions()

    def check_apart(self, loaders: dict) -> None:
        """See `Task`."""
        parts = {part: loader.dataset for part, loader in loaders.items()}
        if 'train' not in parts and (trained_on := training_views(self.plan)) is not None:
            parts = {'train': trained_on, **parts}
        check_apart(parts)

    def try_out(self, model: nn.Module, loaders: dict) -> None:
        """Look at sizes and head, and take a step on a last batch of one image.

        Raises:
            ConfigError: images come in several sizes, or the model cannot take them so.
            DataError: it can see no difference between them.
        """
        loader = loaders['train']
        with kept_generators():
            images = spread_images(loader.dataset, fixed_size(self.plan.config))

            def batch(given: list[dict]) -> dict:  # a preprocessor writes into its samples
                return loader.collate_fn(copy.deepcopy(given))

            if getattr(model, 'head', None) is not None and hasattr(model, 'extract_feat'):
                self._check_head(model, batch(images[:1]))
                refuse_same_images(model, batch(images[:2]), lambda: batch(
                    spread_images(loader.dataset, fixed=False)))
            left = 0 if loader.drop_last else len(loader.dataset) % loader.batch_size
            if share := getattr(loader.sampler, 'share', None):
                left = 1 if 1 in share.last_sizes(len(loader.dataset)) else 0
            if left == 1:
                take_step(model, batch(images[:1]), self.plan.config['optim_wrapper'], 'the last '
                          f'batch, of 1 image ({len(loader.dataset)} by {loader.batch_size}),')

    def few(self) -> int:
        """Not as many as there are classes, or a wrong shape could fit by chance."""
        return 3 if len(self.classes or ()) == 2 else 2

    @torch.no_grad()
    def _check_head(self, model: nn.Module, batch: dict) -> None:
        """Ask with one image whether the head takes what comes to it."""
        from amlnn.models.images.feature_mixup import check_mixing
        from amlnn.models.images.heads import check_head  # both bring in MMPretrain
        model.eval()
        features = model.extract_feat(model.data_preprocessor(batch, False)['inputs'])
        check_head(model.head, features)
        check_mixing(model.head, features)

    def fast_path(self, model: nn.Module, loaders: dict):
        """The TrunkPath, where there is a frozen trunk that could take it."""
        from amlnn.engine.images.staged_path import StagedPath  # both bring in MMPretrain
        from amlnn.engine.images.trunk_path import TrunkPath
        if self.staging.freezing:
            return StagedPath(self.plan, model, loaders, self.staging.freezing)
        return TrunkPath.plan(self.plan, model, loaders)

    def runner_class(self) -> type[FolderRunner]:
        """FolderRunner itself."""
        return FolderRunner

    def describe(self, counts: dict[str, int]) -> str:
        """See `Task`."""
        shown = ', '.join(f'{count:,} {part}' for part, count in counts.items())
        return f'{shown} images, {len(self.classes or ())} classes'

    def default_split(self) -> str:
        """'val' where the data set has no test part."""
        config = self.plan.config
        for leaf in part_data_sets(config, 'test'):
            if leaf.get('data_root') and leaf.get('split') in PARTS:
                parts = layout_of(leaf).find_parts(str(leaf['data_root']), **choices_of(leaf))
                if parts is not None and leaf['split'] not in parts:
                    return 'val'
        return super().default_split()

    def check_test(self, options) -> None:
        """See `Task`."""
        if options.baselines or options.baseline_windows is not None:
            raise UsageError('--baselines are of forecasts, and '
                             f'`{self.plan.loaded.path}` classifies images',
                             hint='leave --baselines and --baseline-windows out')
        if options.explain and options.tta:
            raise UsageError('--explain looks at images as they are, and --tta at several views',
                             hint='leave one of the two out')

    def fit_test(self, options, split: str) -> None:
        """Let every image come in several views where they are averaged."""
        if options.tta:
            augment_pipeline(self.plan.config, split)

    def tester(self, model: nn.Module, options) -> nn.Module:
        """A model that averages over views where that is asked for."""
        return averaging(self.plan.config, model) if options.tta else model

    def fast_inference(self, model: nn.Module, loader, options, console: Console):
        """The FastBackbone, where one is asked for or the images are many."""
        from amlnn.engine.images.fast_inference import (  # brings in MMPretrain
            InferenceImages,
            fast_backbone,
            first_samples,
        )
        images = InferenceImages(self.plan, model, lambda: first_samples(loader.dataset),
                                 len(loader.dataset))
        return fast_backbone(self.plan, model, images, console,
                             "--tta averages over an image's views" if options.tta else '')

    def complete(self, record: TestRecord, evaluation, model, loader, weights, options,
                 console: Console) -> None:
        """Note whether views were averaged."""
        record.tta = options.tta

    def explain(self, evaluation: Evaluation, model: nn.Module, loader,
                on_batch: Callable[[int], None]) -> dict[str, np.ndarray]:
        """See `Task` and `insight`."""
        from amlnn.engine.images.insight import insight  # rarely asked for
        return insight(model, loader, evaluation, self.plan.forward_context, on_batch)

    def show(self, record: TestRecord, console: Console) -> None:
        """See `Task`."""
        parts = [f'{name} {value:.4f}' for name, value in record.metrics.items()]
        if record.loss is not None:
            parts.append(f'loss {record.loss:.4f}')
        parts.append(f'{record.samples_per_second:.1f} img/s')
        epoch = f' (epoch {record.checkpoint_epoch})' if record.checkpoint_epoch else ''
        say(console, f'{record.checkpoint}{epoch} on the {record.samples:,} images of '
                     f'`{record.split}`: {", ".join(parts)}')

    def check_predict(self, options) -> None:
        """See `Task`."""
        check_inputs(options)

    def predict(self, model: nn.Module, weights: Weights, options, on_bad) -> Iterator[str]:
        """A line an image."""
        names = (weights.meta.get('dataset_meta') or {}).get('classes') or self.classes
        return predict(model, self.plan, names, options, on_bad)


def _first_dataset(config) -> dict | None:
    """The first data set with a data root of the training part, else of another."""
    return next((leaf for part in PARTS for leaf in part_data_sets(config, part)
                 if leaf.get('data_root')), None)
