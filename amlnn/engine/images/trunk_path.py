"""The fast path: training on what the frozen stages make of an image, computed once a view.

`TrunkPath.plan` decides whether a training may take it. If so, FeatureLoaders stand in for the
image loaders: they yield the trunk's features, from the feature store where it has them, else
computed from images, and written down where they will be read again. `TrunkTrainLoop` trains the
tail on them. Order, views, losses and checkpoints are those of the plain path.
"""

from dataclasses import dataclass, field

import torch
from mmengine.dataset import default_collate
from mmengine.hooks import EMAHook
from torch import nn
from torch.utils.data import DataLoader

from amlnn.data.images.views import View
from amlnn.engine.images.evaluation import is_plain, predict_from
from amlnn.engine.images.feature_loader import FeatureLoader
from amlnn.engine.images.stored_trunk import StoredTrunk
from amlnn.engine.images.trunk_engine import TrainingImages, TrunkChoice, trunk_words
from amlnn.engine.images.trunk_refusals import refuse_too_large, why_not_trained
from amlnn.engine.plan import Plan
from amlnn.engine.run.loops import EpochTrainLoop
from amlnn.engine.workers import end_workers
from amlnn.errors import ConfigError
from amlnn.models.images.trunk import Trunk, extract_from, split_point, why_not
from amlnn.quiet import quiet_imports

with quiet_imports():
    from mmpretrain.structures import DataSample

__all__ = ['TrunkPath', 'TrunkTrainLoop', 'average_what_moves']


@dataclass
class TrunkPath:
    """How one training takes the fast path."""

    model: nn.Module
    trunk: Trunk
    split: int
    views: int
    epochs: int
    keep: bool
    """Write training features: views come again, or another trial will read them."""
    notes: list[str] = field(default_factory=list)
    loaders: list['FeatureLoader'] = field(default_factory=list)

    @classmethod
    def plan(cls, plan: Plan, model: nn.Module, loaders: dict | None = None) -> 'TrunkPath | None':
        """The fast path for a built and frozen model, or None for the plain one.

        Args:
            plan: The plan.
            model: The model.
            loaders: Of images, by part, for which the trunk's engine is chosen; without, torch.

        Raises:
            ConfigError: `execution` demands it, or an engine, and that would be wrong or useless;
                or it demands a cache of what has no room.
            UsageError: a run cannot go on with the engine that it began with.
        """
        policy = plan.policy
        if policy.trunk_cache is False:
            return None
        reason = why_not(model) or why_not_trained(plan.config, model)
        if reason:
            if policy.trunk_cache is True:
                raise ConfigError(f'`execution.trunk_cache` is True, and there can be no trunk: '
                                  f'{reason}', hint="set execution.trunk_cache='auto'")
            if reason != 'nothing is frozen':
                plan.notes.append(f'frozen stages are computed anew in every epoch: {reason}')
            return None
        split = split_point(model)
        epochs = plan.config['train_cfg']['max_epochs']
        views = min(policy.views or epochs, epochs)
        images = TrainingImages(model, loaders, views) if loaders else None
        trunk, engine = TrunkChoice(plan, model, split, images).trunk()
        keep = policy.trunk_cache is True or views < epochs
        notes = [f'{trunk_words(model, trunk, split, plan.precision, engine)}; '
                 f'{views} view{"s" * (views != 1)} of each image for {epochs} epochs'
                 + ('' if keep else ', computed as they come')]
        path = cls(model, trunk, split, views, epochs, keep, notes)
        if keep and policy.asks_for_cache and loaders:
            refuse_too_large(path._shape(loaders['train']), trunk.dtype,
                             len(loaders['train'].dataset), policy.views or views,
                             policy.cache_bytes)
        return path

    @property
    def engine(self) -> str:
        """What computes the frozen stages."""
        return self.trunk.engine

    def loader(self, plan: Plan, part: str, images: DataLoader, warn) -> 'FeatureLoader':
        """The loader of features that stands in for one of images.

        Args:
            plan: The plan.
            part: 'train' or 'val'.
            images: The image loader.
            warn: Gets a line for everything that keeps the cache from doing its work.
        """
        training = part == 'train'
        # An image that a sampler draws several times in an epoch comes in later views already.
        views = (plan.policy.views or self.views) if training else 1
        section = plan.config[f'{part}_dataloader']['dataset']
        store = StoredTrunk(plan, self.model, self.trunk, self.split).store(
            section, images.dataset, self._shape(images), views, warn)
        self.loaders.append(FeatureLoader(self.features, self.label, images, store,
                                          keep=self.keep or not training))
        return self.loaders[-1]

    def close(self) -> None:
        """Let go of the caches, so that others may delete them, and of workers."""
        for loader in self.loaders:
            loader.store.close()
            end_workers(loader)

    def train_loop(self, *arguments, **options) -> 'TrunkTrainLoop':
        """The training loop of the fast path."""
        return TrunkTrainLoop(self, *arguments, **options)

    def features(self, batch: dict) -> torch.Tensor:
        """Features of a collated batch of images."""
        return self.trunk(self._inputs(batch))

    def _shape(self, images: DataLoader) -> tuple[int, ...]:
        """Of the features of a loader's images."""
        sample = default_collate([images.dataset[View(0, 0)]])
        return self.trunk.shape_of(self._inputs(sample))

    def _inputs(self, batch: dict) -> torch.Tensor:
        return self.model.data_preprocessor(batch, False)['inputs']

    def label(self, sample: DataSample) -> None:
        """Write into a sample what the preprocessor makes of its label: class scores."""
        preprocessor = self.model.data_preprocessor
        if getattr(preprocessor, 'to_onehot', False):
            preprocessor({'inputs': torch.zeros(1, 1, 1, 1), 'data_samples': [sample]}, False)

    def head_input(self, model: nn.Module, batch: dict):
        """What the head takes for a batch of features."""
        return extract_from(model, batch['inputs'].to(_device(model)), self.split)

    def train_step(self, model: nn.Module, batch: dict, wrapper) -> dict:
        """One step of the tail on a batch of features: `train_step` of a model of MMEngine's."""
        with wrapper.optim_context(model):
            losses = model.head.loss(self.head_input(model, batch),
                                     _to(batch['data_samples'], _device(model)))
        loss, outputs = model.parse_losses(losses)
        wrapper.update_params(loss)
        return outputs

    def predict(self, model: nn.Module, batch: dict, context):
        """Predictions of a batch of features, and its loss: the forward of `evaluate`."""
        samples = _to(batch['data_samples'], _device(model))
        with context():
            features = self.head_input(model, batch)
            if not is_plain(model.head):
                return model.head.predict(features, samples), None
        return predict_from(model.head, features, samples)


class TrunkTrainLoop(EpochTrainLoop):
    """Trains the tail on features.

    Args:
        path: The fast path of the run.
        arguments: Of EpochTrainLoop.
    """

    def __init__(self, path: TrunkPath, *arguments, **options):
        super().__init__(*arguments, **options)
        self.path = path

    def run(self) -> nn.Module:
        """Train, without averaging anew in every step what is frozen."""
        for hook in self.runner.hooks:
            if isinstance(hook, EMAHook):
                average_what_moves(hook.ema_model, self.runner.model)
        return super().run()

    def take_step(self, data_batch: dict) -> dict:
        """One step on a batch of features."""
        return self.path.train_step(self.runner.model, data_batch, self.runner.optim_wrapper)


def average_what_moves(averaged: nn.Module, model: nn.Module) -> None:
    """Leave frozen parameters out of an average of weights: theirs is what they are.

    To average a ResNet50 takes longer than to train its head on features, twenty times. An average
    of a user's own may do more with a parameter than that.

    Args:
        averaged: MMEngine's averaged model, a copy of the other.
        model: The model that is trained.
    """
    if type(averaged).__module__.startswith('mmengine.'):
        frozen = {name for name, each in model.named_parameters() if not each.requires_grad}
        known = averaged.__dict__.setdefault('_amlnn_all', averaged.avg_parameters)
        averaged.avg_parameters = {name: each for name, each in known.items()
                                   if name not in frozen}


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def _to(samples: list, device: torch.device) -> list:
    return samples if device.type == 'cpu' else [sample.to(device) for sample in samples]
