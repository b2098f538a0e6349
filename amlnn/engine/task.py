"""What training, evaluating and predicting ask of a kind of experiment."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
from mmengine.evaluator import Evaluator
from rich.console import Console
from torch import nn

from amlnn.browsed import Given
from amlnn.config.load import LoadedConfig
from amlnn.config.resolved import resolved_text
from amlnn.console import say
from amlnn.engine.build import build
from amlnn.engine.evaluations import Evaluation, FastInference
from amlnn.engine.plan import Plan
from amlnn.engine.run.checkpoint import load_weights
from amlnn.engine.run.versions import library_versions
from amlnn.engine.staging import Staging
from amlnn.engine.weights import PRETRAINED, Weights
from amlnn.errors import ConfigError
from amlnn.models.parameters import parameter_row
from amlnn.records import FrozenStage, TestRecord

__all__ = ['Task']


class Task(ABC):
    """An experiment of one kind, on the machine at hand.

    The only classes that know what is special about images or about series: whoever trains,
    evaluates or predicts asks them and never which kind it is.

    Attributes:
        kind: As the data sets of a config declare it, and as records name it.
        samples: What is counted: 'images'.
        rate: What a second's samples are called: 'img'.
        scope: The package in which a config's names are looked up first.
        digits: Decimals of a metric while training.
        data_grow: Testing and predicting may want newer data than those of the training.
        plan: What will be built.
        data_root: Folder or file of the data; None where there is none.
        fitted_at_once: The model is fitted, instead of being trained step by step.
        staging: What a training begins with, and what opens when.
        classes: A classifier's class names, in the order of their numbers; None where unknown.
        engine: What records of tests call the model's own forward by; None where they do not say.
    """

    kind: ClassVar[str]
    samples: ClassVar[str]
    rate: ClassVar[str]
    scope: ClassVar[str]
    digits: ClassVar[int] = 2
    data_grow: ClassVar[bool] = False
    data_root: str | None = None
    classes: list[str] | None = None
    fitted_at_once: bool = False
    staging: Staging = Staging()
    engine: ClassVar[str | None] = None

    def __init__(self, plan: Plan):
        self.plan = plan

    # Before there is one.

    @classmethod
    @abstractmethod
    def register(cls) -> None:
        """Import the modules whose classes configs name."""

    @classmethod
    def check_data(cls, config, parts: tuple[str, ...]) -> None:
        """Refuse a config whose data is not there, before anything slow is imported.

        Raises:
            DataError: names what is missing and how to get it.
        """

    @classmethod
    @abstractmethod
    def known_to(cls, weights: Weights, loaded: LoadedConfig) -> object:
        """What weights know of the data they were trained on, for `open`.

        Raises:
            AmlnnError: they are of another kind, or not what the config asks for.
        """

    @classmethod
    @abstractmethod
    def open(cls, loaded: LoadedConfig, device: str, seed: int | None = None,
             pretrained: str | None = None, known: object = None) -> 'Task':
        """Fit a config to the machine, and derive what follows from its data.

        Args:
            loaded: From `load_config`.
            device: 'cpu' or 'cuda'.
            seed: Overrides `randomness.seed`.
            pretrained: Overrides `model.pretrained`; 'none' for no weights.
            known: Of the weights that will be evaluated or predict, from `known_to`.

        Raises:
            AmlnnError: config, data and weights do not fit one another.
        """

    @classmethod
    def open_bare(cls, loaded: LoadedConfig) -> 'Task':
        """One whose model can be built for the names of its parameters."""
        return cls.open(loaded, 'cpu', pretrained='none')

    # Of every one.

    @abstractmethod
    def data_hash(self) -> str | None:
        """What names the data in records; None where nothing does."""

    @abstractmethod
    def build_model(self, weights: bool = True) -> tuple[nn.Module, str | None]:
        """Build, initialise, load pretrained weights, freeze, place on the device.

        Args:
            weights: False leaves weights as they come, for a checkpoint that follows.

        Returns:
            The model, and what was loaded in words.

        Raises:
            AmlnnError: of weights or freezing, before anything is trained.
        """

    def bare_model(self) -> nn.Module:
        """The model as its section says, neither initialised nor frozen.

        Raises:
            ConfigError: it cannot be built.
        """
        return build(self.plan.config['model'])

    def filled(self, config):
        """A config with all in it that follows from its model."""
        return config

    @abstractmethod
    def loader(self, part: str):
        """The batches of 'train', 'val' or 'test'.

        Raises:
            DataError: the data cannot be read, or is not what the model is for.
        """

    @abstractmethod
    def first_batch(self, loader, at_most: int | None = None):
        """A loader of the first batch of another, in this process.

        Args:
            loader: The other.
            at_most: So many samples, where the batch has more.
        """

    @abstractmethod
    def evaluation_meta(self, part: str, loader) -> dict:
        """What metrics are told of a part's data."""

    @abstractmethod
    def evaluate(self, model: nn.Module, loader, evaluator: Evaluator,
                 on_batch: Callable[[int], None] = lambda samples: None,
                 forward: Callable | None = None) -> Evaluation:
        """One pass over a part in eval mode.

        Args:
            model: The model, or what it is wrapped in.
            loader: From `loader`, or what stands in for it.
            evaluator: From `evaluator`.
            on_batch: Told the number of samples after each batch.
            forward: The fast path's; None for the model's own.
        """

    @abstractmethod
    def write_predictions(self, path: Path, evaluation: Evaluation) -> None:
        """Write `predictions_<split>.npz` (see amlnn.records)."""

    def evaluator(self, part: str, loader) -> Evaluator:
        """The evaluator of a part, told what its metrics need to know.

        Raises:
            ConfigError: a metric needs to know what the data does not say.
        """
        section = copy.deepcopy(self.plan.config[f'{part}_evaluator'])
        evaluator = Evaluator(section if isinstance(section, list | tuple) else [section])
        evaluator.dataset_meta = self.evaluation_meta(part, loader)
        for metric in evaluator.metrics:
            needed = getattr(metric, 'needs', None)
            if needed and evaluator.dataset_meta.get(needed) is None:
                raise ConfigError(
                    f'{part}_evaluator: {type(metric).__name__} needs `{needed}` of the classes, '
                    f'and {self.data_set_names(loader)} does not have it',
                    hint=f'take {type(metric).__name__} out of {part}_evaluator, or take a data '
                    'set that has it')
        return evaluator

    def data_set_names(self, loader) -> str:
        """The classes of a loader's data sets."""
        return type(loader.dataset).__name__

    def stages(self, model: nn.Module) -> list[FrozenStage]:
        """A model's parameters, part by part."""
        return [parameter_row('model', model.parameters())]

    def model_parts(self, model: nn.Module) -> list[tuple[str, Callable[[str], bool]]]:
        """A model's parts: the name of each, and what tells whether a name in it is of that part.
        """
        return [(name, lambda full, part=name: full.split('.')[0] == part)
                for name, _ in model.named_children()]

    @abstractmethod
    def given(self, model: nn.Module, loader, count: int, views: int) -> Given:
        """Some samples as the model is given them, in training.

        Args:
            model: Built.
            loader: Of the training part.
            count: How many samples.
            views: How many views of each, where it has several.
        """

    def config_text(self, config) -> str:
        """A resolved config as config.py of a run folder has it."""
        return resolved_text(config)

    def versions(self) -> dict[str, str]:
        """Versions of what a result depends on."""
        return library_versions()

    def class_facts(self, model: nn.Module, loader) -> dict[str, list[float]]:
        """What a record says of each class (`RunRecord.class_facts`)."""
        return {}

    def check_apart(self, loaders: dict) -> None:
        """Refuse parts that share samples with the training part.

        Args:
            loaders: By part. Without the training part theirs are compared with it where it can be
                read.

        Raises:
            DataError: names the first one.
        """

    # Training.

    @classmethod
    def trained_first(cls, loaded: LoadedConfig, options, console: Console,
                      identity_of: Callable, train: Callable) -> LoadedConfig | None:
        """Train what a model is made of; the config to go on with. See `trained_members`."""
        return loaded

    def try_out(self, model: nn.Module, loaders: dict) -> None:
        """Ask of a new model what only this kind asks, before a first step is rehearsed.

        Raises:
            AmlnnError: the model and its data do not go together.
        """

    def few(self) -> int:
        """How many samples a first step is rehearsed on."""
        return 2

    def fast_path(self, model: nn.Module, loaders: dict):
        """How training skips what is frozen (see `TrunkPath`); None where it does not."""
        return None

    @abstractmethod
    def runner_class(self) -> type:
        """The FolderRunner that trains."""

    @abstractmethod
    def describe(self, counts: dict[str, int]) -> str:
        """A training's data in words, with so many samples of each part."""

    def check_resumed(self, checkpoint: dict, folder: Path) -> None:
        """Refuse to go on with data that the model of a run was not made for.

        Raises:
            AmlnnError: says what differs.
        """

    def warnings(self) -> list[str]:
        """What makes an error on this data look better than it is."""
        return []

    def write_truth(self, folder: Path) -> None:
        """Write what is known of generated data into a new run folder."""

    # Evaluating a checkpoint.

    def default_split(self) -> str:
        """The part to evaluate where nobody says which."""
        return 'test' if self.plan.config.get('test_dataloader') else 'val'

    @abstractmethod
    def check_test(self, options) -> None:
        """Refuse those of `TestOptions` that mean nothing here.

        Raises:
            UsageError: names the option.
        """

    def fit_test(self, options, split: str) -> None:
        """Fit the config to `TestOptions`, before anything is built."""

    def tester(self, model: nn.Module, options) -> nn.Module:
        """What is evaluated for a model with `TestOptions`."""
        return model

    def fast_inference(self, model: nn.Module, loader, options,
                       console: Console) -> FastInference | None:
        """What evaluates a part faster than the model's own forward; None where nothing does.

        Args:
            model: With its weights; not what it is wrapped in.
            loader: Of the part.
            options: `TestOptions`.
            console: Told what is chosen.

        Raises:
            ConfigError: the config demands what cannot be.
        """
        return None

    def complete(self, record: TestRecord, evaluation: Evaluation, model: nn.Module, loader,
                 weights: Weights, options, console: Console) -> None:
        """Add what only this kind's record of a test has."""

    def explain(self, evaluation: Evaluation, model: nn.Module, loader,
                on_batch: Callable[[int], None]) -> dict[str, np.ndarray]:
        """Arrays for `insight_<split>.npz`, where `TestOptions` ask for it; see `amlnn.records`.

        Args:
            evaluation: Of the model.
            model: With the checkpoint's weights.
            loader: Of what was evaluated.
            on_batch: Told the number of samples after each batch.
        """
        raise NotImplementedError(f'a {type(self).__name__} has nothing to explain')

    @abstractmethod
    def show(self, record: TestRecord, console: Console) -> None:
        """Print what a test found."""

    # Predicting.

    @abstractmethod
    def check_predict(self, options) -> None:
        """Refuse those of `PredictOptions` that mean nothing here.

        Raises:
            AmlnnError: names the option or the input.
        """

    @abstractmethod
    def predict(self, model: nn.Module, weights: Weights, options,
                on_bad: Callable[[str, str], None]) -> Iterator[str]:
        """Lines of text that say what a model predicts; see `amlnn.engine.predict`."""

    def restore(self, weights: Weights, console: Console) -> nn.Module:
        """The model with the weights of a checkpoint, or with the config's own.

        Raises:
            CheckpointError: the checkpoint is of another model.
        """
        if weights.path == PRETRAINED:
            model, loaded = self.build_model()
            say(console, str(loaded))
            return model
        model, _ = self.build_model(weights=False)
        load_weights(model, weights.content, weights.path)
        return model
