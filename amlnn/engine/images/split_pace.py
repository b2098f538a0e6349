"""How long a training with so many stages frozen would take on this machine: a few steps, timed.

What is timed is what the training would do: reading an image, the frozen stages, a step of the rest
from their output on, and an evaluation of the rest. A whole training is their sum, for as many
images, views and epochs as the config has; the check before a run and checkpoints are left out.
"""

import copy
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from mmengine.dataset import default_collate
from mmengine.optim import build_optim_wrapper
from torch import Tensor, nn

from amlnn.data.images.views import View
from amlnn.engine.device import finish_queued
from amlnn.engine.images.evaluation import is_plain
from amlnn.engine.images.feature_pass import FeaturePass
from amlnn.engine.images.loaders import build_loader
from amlnn.engine.images.trunk_refusals import why_not_trained
from amlnn.engine.kinds import in_scope
from amlnn.engine.rehearsal import as_config_error, kept_generators
from amlnn.errors import AmlnnError
from amlnn.formulas.training_pace import TrainingPace
from amlnn.models.images.calls import in_eval_mode
from amlnn.models.images.freezing import freeze_model
from amlnn.models.images.stages import STEM, list_stages, run_stages
from amlnn.models.images.trunk import extract_from, split_point, why_not
from amlnn.models.images.trunk_body import LearningSizes

__all__ = ['SplitPace', 'Splits', 'frozen_choices']

_IMAGES = 8  # of a step that is timed: with more, an image takes as long
_SECONDS = 0.4  # after which nothing is repeated any more
_REPEATS = 4


@dataclass(frozen=True)
class SplitPace:
    """Seconds with so many stages frozen."""

    reading: float
    """Of one image, from its file to the network's input."""
    frozen: float
    """Of one image in the frozen stages."""
    training: float
    """Of one image in a step of the rest, forwards and backwards."""
    stepping: float
    """Of the optimizer, a step."""
    evaluating: float
    """Of one image in the rest."""
    once: bool
    """What is frozen is computed once a view, and validation images once a run."""

    def summed(self, train: int, val: int, batch: int) -> TrainingPace:
        """With so many images of each part, and of a step."""
        given = self.reading + self.frozen
        steps = -(-train // batch)
        rest = train * self.training + steps * self.stepping + val * self.evaluating
        return TrainingPace(given * train, given * val, rest, self.once)

    def of_run(self, train: int, val: int, batch: int, epochs: int, views: int) -> float:
        """A whole training.

        Args:
            train: Images.
            val: Images.
            batch: Images of a step.
            epochs: How many.
            views: Different views of a training image, at most `epochs`.

        >>> SplitPace(0.01, 0.1, 0.2, 1.0, 0.05, True).of_run(100, 10, 20, 3, 3)
        110.6
        """
        return round(self.summed(train, val, batch).seconds(epochs, views), 6)


def frozen_choices(backbone: nn.Module) -> list[tuple[int | str, int]]:
    """What `frozen_stages` of a backbone can be, and how many stages that freezes.

    >>> from mmpretrain.models.backbones import VGG
    >>> frozen_choices(VGG(11))
    [(-1, 0), (1, 1), (2, 2), (3, 3), (4, 4), ('all', 5)]
    """
    stages = list_stages(backbone)
    stem = stages[0].name == STEM
    inner: list[tuple[int | str, int]] = [(number - stem, number)
                                          for number in range(1, len(stages))]
    return [(-1, 0), *inner, ('all', len(stages))]


@dataclass
class Splits:
    """The splits of one config's backbone.

    Args:
        one: The pass of its features, by whose trunk frozen stages are computed.
    """

    one: FeaturePass
    notes: list[str] = field(default_factory=list)

    def paces(self) -> dict[int | str, SplitPace | None]:
        """By `frozen_stages`; None where a step cannot be timed, for which `notes` say why."""
        found: dict[int | str, SplitPace | None] = {}
        with in_scope(self._config), kept_generators():
            for frozen_stages, _ in frozen_choices(self._model.backbone):
                try:
                    with as_config_error(f'a step with frozen_stages={frozen_stages!r}'):
                        found[frozen_stages] = self._pace(frozen_stages)
                except AmlnnError as error:
                    found[frozen_stages] = None
                    self.notes.append(f'no seconds of frozen_stages={frozen_stages!r}: '
                                      f'{error.message}')
        return found

    @property
    def epochs(self) -> int:
        """Of the config's training."""
        return int(self._config['train_cfg']['max_epochs'])

    def seconds(self, pace: SplitPace, train: int, val: int) -> float:
        """Of the config's training at a pace, with so many images of its parts."""
        views = min(self.one.task.plan.policy.views or self.epochs, self.epochs)
        return pace.of_run(train, val, self._batch_size, self.epochs, views)

    def summed(self, pace: SplitPace, train: int, val: int) -> TrainingPace:
        """What any number of epochs and views would take, with so many images of its parts."""
        return pace.summed(train, val, self._batch_size)

    @property
    def _batch_size(self) -> int:
        return self._loader.batch_size or 1

    @property
    def _config(self) -> dict:
        return self.one.task.plan.config

    @cached_property
    def _loader(self):
        return build_loader(self.one.task.plan, 'train', self.one.task.classes)

    @cached_property
    def _model(self) -> nn.Module:
        """With nothing frozen; seconds do not depend on weights."""
        task, plan = self.one.task, self.one.task.plan
        try:
            task.plan = replace(plan, model_options=replace(
                plan.model_options, frozen_stages=-1, trainable=()))
            return task.build_model(weights=False)[0]
        finally:
            task.plan = plan

    @cached_property
    def _given(self) -> tuple[list[dict], float]:
        """Packed training images, and the seconds of reading one."""
        dataset = self._loader.dataset
        count = min(_IMAGES, len(dataset), self._loader.batch_size or 1)
        begin = time.perf_counter()
        images = [dataset[View(index, 0)] for index in range(count)]
        seconds = (time.perf_counter() - begin) / count
        # Workers read side by side, on the cores that compute too.
        return images, seconds / (min(os.cpu_count() or 1, torch.get_num_threads())
                                  if self._loader.num_workers else 1)

    def _batch(self, training: bool) -> dict:
        batch = default_collate(copy.deepcopy(self._given[0]))
        return self._model.data_preprocessor(batch, training)

    @cached_property
    def _by_stages(self) -> list[float]:
        """Seconds of an image in the first stages, by their number, as the model computes them."""
        backbone, images = self._model.backbone, self._batch(False)['inputs']
        stages = list_stages(backbone)
        with torch.no_grad(), in_eval_mode(backbone):
            found = [_seconds(lambda count=count: run_stages(backbone, stages[:count], images))
                     for count in range(1, len(stages) + 1)]
        return [0.0, *(each / len(images) for each in found)]

    @cached_property
    def _trunk_rate(self) -> float:
        """Seconds of the trunk, over those of the model's own stages: its engine folds and fuses.
        """
        images = self._batch(False)['inputs']
        return _seconds(lambda: self.one.trunk(images)) / len(images) / self._by_stages[-1]

    def _pace(self, frozen_stages: int | str) -> SplitPace:
        model = copy.deepcopy(self._model)
        freeze_model(model, frozen_stages)
        policy, split = self.one.task.plan.policy, 0
        if frozen_stages != -1 and policy.trunk_cache is not False \
                and not why_not(model) and not why_not_trained(self._config, model):
            split = split_point(model)
        frozen = self._by_stages[split] * self._trunk_rate if split else 0.0
        batch = self._batch(True)
        inputs, samples = batch['inputs'], batch['data_samples']
        features = self._features(model, inputs, split)
        wrapper = build_optim_wrapper(model, copy.deepcopy(self._config['optim_wrapper']))
        wrapper.initialize_count_status(model, 0, 1)

        def extract():
            return extract_from(model, features, split) if split else model.extract_feat(features)

        def step() -> None:
            model.train()
            with wrapper.optim_context(model):
                losses = model.head.loss(extract(), samples)
            wrapper.update_params(model.parse_losses(losses)[0])

        def evaluate() -> None:
            model.eval()
            with torch.no_grad(), self.one.task.plan.forward_context():
                given = extract()
                if is_plain(model.head):
                    model.head(given)

        whole, optimizing = _seconds(step), _seconds(wrapper.step)
        return SplitPace(
            reading=self._given[1], frozen=frozen,
            training=max(whole - optimizing, 0.0) / len(inputs), stepping=optimizing,
            evaluating=_seconds(evaluate) / len(inputs), once=split > 0)

    def _features(self, model: nn.Module, inputs: Tensor, split: int) -> Tensor:
        """What the rest of a model is given."""
        if not split:
            return inputs
        backbone = model.backbone
        stages = list_stages(backbone)
        begins = [stage.span.first for stage in stages[split:split + 1] if stage.span is not None]
        if begins:
            LearningSizes(backbone, begins)(inputs)
        with torch.no_grad(), in_eval_mode(backbone):
            features = run_stages(backbone, stages[:split], inputs)
            pooled = split == len(stages) and model.with_neck
            features = model.neck((features,))[0] if pooled else features
        return features.detach()


def _seconds(run: Callable[[], object]) -> float:
    """The fastest of a few runs, after one that is not timed."""
    run()
    finish_queued()
    fastest, began = float('inf'), time.perf_counter()
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        run()
        finish_queued()
        fastest = min(fastest, time.perf_counter() - begin)
        if time.perf_counter() - began > _SECONDS:
            break
    return fastest
