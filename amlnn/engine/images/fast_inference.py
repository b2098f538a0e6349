"""Testing and predicting with the whole backbone as a trunk, by the engine that is asked for.

Nothing is trained any more: all stages are what a training calls frozen. What `execution` asks of
its trunk is asked of them: the engine is checked, chosen, measured and kept in the same way. The
model's own forward is an engine too, and the one of few images.
"""

# B batch, C channels, H height, W width

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from mmengine.dataset import default_collate
from rich.console import Console
from torch import Tensor, nn

from amlnn.console import say
from amlnn.data.images.views import View, ViewDataset
from amlnn.engine.images.evaluation import classify
from amlnn.engine.images.int8 import calibration_images
from amlnn.engine.images.trunk_engine import (
    Images,
    TrunkChoice,
    is_much,
    trunk_words,
)
from amlnn.engine.plan import Plan
from amlnn.engine.rehearsal import as_config_error, kept_generators
from amlnn.errors import ConfigError
from amlnn.models.images.calls import in_eval_mode
from amlnn.models.images.folding import relative_difference
from amlnn.models.images.freezing import freeze
from amlnn.models.images.openvino_trunk import Unfit
from amlnn.models.images.trunk import (
    DTYPES,
    TOLERANCES,
    Trunk,
    extract_from,
    split_point,
    why_not,
    why_not_divided,
)
from amlnn.models.multiplications import multiplications

__all__ = ['FastBackbone', 'InferenceImages', 'fast_backbone', 'first_samples']

_FOLDED = 'torch-folded'
_FEW = 32
"""Images that are done before an engine could be chosen, a batch."""
_CHECKED = 8  # images that engines are checked and measured on


@dataclass
class InferenceImages:
    """Those that are tested on, or predicted for; see `Images`.

    Args:
        plan: The plan.
        model: Whose data preprocessor they go through.
        read: The first few, packed, where they are asked for.
        count: Of all of them.
    """

    plan: Plan
    model: nn.Module
    read: Callable[[], list[dict]]
    count: int

    @cached_property
    def first(self) -> dict[str, Tensor]:
        """As many of the first few as have one size."""
        samples = self.read()[:_CHECKED]
        same = [each for each in samples if each['inputs'].shape == samples[0]['inputs'].shape]
        batch = default_collate(copy.deepcopy(same))  # preprocessors write into samples
        images = self.model.data_preprocessor(batch, False)['inputs']
        return {'': images if len(images) > 1 else torch.cat([images, images.flip(-1)])}

    @property
    def size(self) -> tuple[int, ...]:
        """[C, H, W] of the first few."""
        return tuple(self.first[''].shape[1:])

    @cached_property
    def calibration(self) -> tuple[Tensor, Tensor, list[int] | None]:
        """Of the config's training images.

        Raises:
            ConfigError: they are not there.
        """
        try:
            section = copy.deepcopy(self.plan.config['train_dataloader']['dataset'])
            dataset = ViewDataset(section, self.plan.seed)
        except Exception as error:  # whatever a data set's class raises where it has no files
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ConfigError(
                "`execution.trunk_precision` is 'int8', calibrated on the config's training "
                f'images, and they cannot be read: {said[:200]}',
                hint='--cfg-options execution.trunk_precision=None, or name their folder: '
                'train_dataloader.dataset.data_root=<folder>') from error
        with as_config_error('calibrating on the training images'):
            return calibration_images(self.model, dataset)


def first_samples(dataset: ViewDataset) -> list[dict]:
    """The first few of a part, packed."""
    with kept_generators():
        return [dataset[View(index, 0)] for index in range(min(_CHECKED, len(dataset)))]


@dataclass
class FastBackbone:
    """A classifier whose backbone an engine computes, for images of the size it was checked on.

    Those of another size go through the model's own.
    """

    model: nn.Module
    trunk: Trunk
    split: int
    size: tuple[int, ...]

    @property
    def engine(self) -> str:
        """As records name it."""
        return _FOLDED if type(self.trunk) is Trunk else self.trunk.engine

    def extract(self, images_BCHW: Tensor):
        """What the head takes."""
        if tuple(images_BCHW.shape[1:]) != self.size:
            return self.model.extract_feat(images_BCHW)
        return extract_from(self.model, self.trunk(images_BCHW), self.split)

    def predict(self, images_BCHW: Tensor, samples: list) -> list:
        """Predictions of preprocessed images."""
        return self.model.head.predict(self.extract(images_BCHW), samples)

    def forward(self, model: nn.Module, batch: dict, context: Callable) -> tuple:
        """Predictions of a batch and its loss: the forward of `evaluate`."""
        return classify(model, batch, context, self.extract)


def fast_backbone(plan: Plan, model: nn.Module, images: InferenceImages, console: Console,
                  why_plain: str = '') -> FastBackbone | None:
    """What computes the backbone; None for the model's own forward.

    Args:
        plan: The plan.
        model: With its weights, in eval mode.
        images: That it will compute.
        console: Told what was chosen, and why what is asked for is not.
        why_plain: Why nothing but the model's own forward can be, in words.

    Raises:
        ConfigError: `execution` asks for an engine or a precision that cannot be here.
    """
    policy = plan.policy
    asked = policy.trunk_engine == 'openvino' or policy.trunk_precision is not None
    if policy.trunk_cache is False:
        why_plain = why_plain or 'execution.trunk_cache=False asks for it'
    why_plain = why_plain or why_not_divided(model)
    if not asked and (why_plain or not _pays(plan, model, images)):
        return None
    still = None if why_plain else _still(model)
    why_plain = why_plain or why_not(still)
    if why_plain:
        if asked:
            say(console, f"the model's own forward computes the backbone: {why_plain}", 'note')
        return None
    split = split_point(still)
    trunk, said = _WholeChoice(plan, still, split, images, own=model).trunk()
    if said:
        say(console, trunk_words(still, trunk, split, plan.precision, said), 'note')
    if isinstance(trunk, _OwnForward):
        return None
    trunk(images.first[''])  # in every process, and in no inference mode: what is left to convert
    return FastBackbone(model, trunk, split, images.size)


def _pays(plan: Plan, model: nn.Module, images: InferenceImages) -> bool:
    """Whether another engine than the model's own forward is worth looking for."""
    if plan.policy.trunk_engine == 'torch' or plan.device != 'cpu' or images.count <= _FEW:
        return False
    with in_eval_mode(model.backbone):
        work = sum(multiplications(model.backbone, lambda: model.backbone(
            images.first[''][:1])).values())
    return is_much(work * images.count)


def _still(model: nn.Module) -> nn.Module:
    """A copy of which nothing is trained."""
    still = copy.deepcopy(model)
    still.data_preprocessor.batch_augments = None  # which mix images in training alone
    freeze(still.backbone, 'all')
    return still


class _OwnForward:
    """The model's own backbone, to be measured beside trunks."""

    engine, folded, graphed = 'torch', 0, False

    def __init__(self, model: nn.Module, context: Callable):
        self.model, self.context = model, context

    @torch.no_grad()
    def __call__(self, images_BCHW: Tensor):
        with self.context():
            return self.model.extract_feat(images_BCHW)


@dataclass
class _WholeChoice(TrunkChoice):
    """A choice of which the model's own forward is one, and torch with batch norms folded another.

    Args:
        own: The model itself, of which `model` is a copy that nothing trains.
    """

    own: nn.Module | None = None

    def _possible(self, why_torch: str) -> list[str]:
        policy = self.plan.policy
        folded = [_FOLDED] if policy.fold_batch_norm and not policy.compile else []
        return ['torch', *folded, *super()._possible(why_torch)[1:]]

    def _trunk(self, engine: str):
        if engine == 'torch':
            return _OwnForward(self.own, self.plan.forward_context)
        return super()._trunk('torch' if engine == _FOLDED else engine)

    def _convert(self, engine: str, images: Images) -> None:
        if engine != _FOLDED:
            return super()._convert(engine, images)
        for each in images.first.values():
            plain = Trunk(self.model, self.split, fold=False)(each)
            difference = relative_difference(self._trunk(engine)(each), plain)
            if not difference <= TOLERANCES[DTYPES[self.plan.precision]]:
                raise Unfit(f'features by torch with batch norms folded differ by {difference:.1e}')
