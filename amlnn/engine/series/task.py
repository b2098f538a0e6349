"""Forecasting a series: the task of amlnn's recurrent models."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mmengine.registry import MODELS
from rich.console import Console
from torch import nn

from amlnn.browsed import Given
from amlnn.config.load import LoadedConfig
from amlnn.console import say
from amlnn.data.series.csv_columns import AUTO
from amlnn.data.series.window_loader import WindowLoader
from amlnn.engine.build import build, initialise
from amlnn.engine.plan import Plan, make_plan
from amlnn.engine.series.browse import given_windows
from amlnn.engine.series.end_forecast import check_file
from amlnn.engine.series.evaluation import (
    ForecastEvaluation,
    evaluate_forecaster,
    forecast_windows,
    write_components,
    write_forecasts,
)
from amlnn.engine.series.fit_runner import FitRunner, check_fitted
from amlnn.engine.series.forecast_file import forecast_file
from amlnn.engine.series.member_runs import (
    is_config,
    planned_members,
    trained_members,
)
from amlnn.engine.series.members import Member, check_alike, read_members, sizes_for
from amlnn.engine.series.parts import FirstBatch, SeriesParts
from amlnn.engine.series.runner import ForecastRunner
from amlnn.engine.series.score import add_rows_and_intervals, check_rows, show_rows
from amlnn.engine.series.sections import checkpoint_metainfo
from amlnn.engine.task import Task
from amlnn.engine.weights import PRETRAINED, Weights
from amlnn.errors import ConfigError, UsageError
from amlnn.records import TestRecord
from amlnn.registry import SERIES_MODULES, import_components

__all__ = ['SeriesTask', 'TrainedOn']


@dataclass
class TrainedOn:
    """What a checkpoint knows of the series it was trained on."""

    metainfo: dict
    """Columns, look-back, horizon, scaler."""
    path: Path
    """Of the checkpoint, for messages."""


class SeriesTask(Task):
    """A forecaster and the windows of a series; see `Task`.

    Args:
        plan: What will be built.
        known: What the weights know that will be evaluated or forecast.
    """

    kind = 'forecasting'
    samples = 'windows'
    rate = 'windows'
    data_grow = True
    scope = 'mmengine'
    digits = 4

    def __init__(self, plan: Plan, known: TrainedOn | None = None):
        super().__init__(plan)
        trained = (known.metainfo, known.path) if known else (None, None)
        self.parts = SeriesParts(plan.loaded, plan.config, *trained, seed=plan.seed)
        self.data_root = self.parts.path
        self.members: list[Member] = []
        kind = MODELS.get(str(plan.config['model'].get('type')))
        self.fitted_at_once = getattr(kind, 'fitted_at_once', False)
        self.of_members = getattr(kind, 'of_members', False)

    @classmethod
    def register(cls) -> None:
        """Import what a forecast needs, which is none of the vision libraries."""
        import_components(SERIES_MODULES)

    @classmethod
    def known_to(cls, weights: Weights, loaded: LoadedConfig) -> TrainedOn:
        """The metainfo of a checkpoint.

        Raises:
            UsageError: `pretrained` stands for the checkpoint.
            CheckpointError: it is no forecaster's.
        """
        if weights.path == PRETRAINED:
            raise UsageError('`pretrained` instead of a checkpoint is for classifiers',
                             hint='give the checkpoint of a forecaster: work_dirs/<config>/latest/'
                             'best.pth')
        return TrainedOn(checkpoint_metainfo(weights.content, weights.path), weights.path)

    @classmethod
    def open(cls, loaded: LoadedConfig, device: str, seed: int | None = None,
             pretrained: str | None = None, known: TrainedOn | None = None) -> 'SeriesTask':
        """See `Task`.

        Raises:
            AmlnnError: an option means nothing to a forecaster, the data cannot be read, or it does
                not fit the checkpoint.
        """
        # On processors that emulate bfloat16's small products, small recurrent steps gain nothing.
        plan = make_plan(loaded, device, seed, pretrained, dict(precision='fp32'))
        options = plan.model_options
        for name, value in (('frozen_stages', options.frozen_stages not in (None, -1)),
                            ('trainable', options.trainable), ('unfreeze', options.unfreeze),
                            ('head_start', options.head_start),
                            ('pretrained_head', options.pretrained_head)):
            if value:
                raise ConfigError(
                    f'{loaded.origins.get(f"model.{name}", loaded.path)}: `model.{name}` is set, '
                    'and a forecaster has no stages', hint='take it out; model.pretrained=<a '
                    'checkpoint> begins with all its weights')
        task = cls(plan, known)
        if task.fitted_at_once:
            check_fitted(loaded, plan.config['model']['type'])
        if task.of_members:
            task.take_members()
        if known:
            task.parts.check_sizes()
        task.parts.fill_model(plan.config['model'])
        check_alike(task.members, task.parts.metainfo)
        return task

    @classmethod
    def trained_first(cls, loaded: LoadedConfig, options, console: Console,
                      identity_of: Callable, train: Callable) -> LoadedConfig | None:
        """The members of a blend that are named by their configs."""
        return trained_members(loaded, options, console, identity_of, train)

    def take_members(self) -> None:
        """Put the networks of a blend's members into its section, and fit its data to theirs.

        Raises:
            AmlnnError: a member cannot be read, or they do not go together.
        """
        section = self.plan.config['model']
        if self.parts.trained:
            section['members'] = self.parts.trained['members']
            return
        if any(map(is_config, section.get('members') or ())):  # to be named, not to be built
            section['members'] = planned_members(self.plan.loaded)
            return
        self.members = read_members(section.get('members'))
        section['members'] = [each.section for each in self.members]
        data = self.plan.config['train_dataloader']['dataset']
        for name, value in sizes_for(self.members).items():
            if data.get(name) in (None, AUTO):
                data[name] = value

    def given(self, model: nn.Module, loader, count: int, views: int) -> Given:
        """Windows of the training part."""
        return given_windows(model, loader, count)

    def fit_notes(self, model: nn.Module) -> list[str]:
        """What a fit found, in words: the weights of a blend's members."""
        if not self.members:
            return []
        shown = ', '.join(f'{weight:.3f} `{member.path}`' for weight, member in zip(
            model.weights.tolist(), self.members, strict=True))
        return [f'weights: {shown}']

    def checkpoint_meta(self) -> dict:
        """What a checkpoint says of the data, and of a blend its members' networks."""
        if not self.members:
            return self.parts.metainfo
        return {**self.parts.metainfo, 'members': [each.section for each in self.members]}

    def data_hash(self) -> str:
        """Of the numbers that were read."""
        return self.parts.data_hash()

    def build_model(self, weights: bool = True) -> tuple[nn.Module, str | None]:
        """See `Task`."""
        model, said = build(self.plan.config['model'].to_dict()), None
        if weights:
            initialise(model)
            if self.plan.model_options.pretrained:
                said = self.parts.load_pretrained(model, self.plan.model_options.pretrained)
            if self.members:
                for member, own in zip(self.members, model.members, strict=True):
                    member.load(own)
                said = 'members: ' + ', '.join(f'`{each.path}`' for each in self.members)
        return model.to(self.plan.device), said

    def loader(self, part: str) -> WindowLoader:
        """See `Task`."""
        loader = self.parts.loader(part)
        # What was concluded from the file is said once, whatever the number of parts.
        self.plan.notes += [note for note in loader.dataset.notes if note not in self.plan.notes]
        return loader

    def first_batch(self, loader, at_most: int | None = None) -> FirstBatch:
        """See `Task`."""
        return FirstBatch(loader.dataset, min(at_most or loader.batch_size, loader.batch_size))

    def evaluation_meta(self, part: str, loader) -> dict:
        """The metainfo, and the error of a simple forecast (see `SeriesParts`)."""
        return self.parts.evaluation_meta(part)

    def evaluate(self, model: nn.Module, loader, evaluator,
                 on_batch: Callable[[int], None] = lambda windows: None,
                 forward: Callable | None = None) -> ForecastEvaluation:
        """See `Task`; there is no fast path."""
        return evaluate_forecaster(model, loader, evaluator, self.plan.forward_context, on_batch)

    def write_predictions(self, path: Path, evaluation: ForecastEvaluation) -> None:
        """See `Task`."""
        write_forecasts(path, evaluation, self.parts.metainfo)

    def runner_class(self) -> type[ForecastRunner]:
        """ForecastRunner, or that of what is fitted at once."""
        return FitRunner if self.fitted_at_once else ForecastRunner

    def describe(self, counts: dict[str, int]) -> str:
        """See `Task`."""
        shown = ', '.join(f'{count:,} {part}' for part, count in counts.items())
        return f'{shown} windows, {self.parts.describe()}'

    def check_resumed(self, checkpoint: dict, folder: Path) -> None:
        """See `Task`."""
        self.parts.check_source(checkpoint_metainfo(checkpoint, folder), folder)

    def warnings(self) -> list[str]:
        """Copies of test windows in the training part."""
        return self.parts.warnings()

    def write_truth(self, folder: Path) -> None:
        """What a generated series is made of."""
        write_components(folder / 'components.npz', self.parts)

    def check_test(self, options) -> None:
        """See `Task`."""
        if options.tta:
            raise UsageError('--tta averages over views of images, and this is a forecast',
                             hint='leave it out')
        if options.explain:
            raise UsageError('--explain is of classifiers of images, and this is a forecast',
                             hint='leave it out')
        check_rows(options)

    def complete(self, record: TestRecord, evaluation: ForecastEvaluation, model: nn.Module, loader,
                 weights: Weights, options, console: Console) -> None:
        """Add simple methods' rows, what intervals held, and repeated windows."""
        add_rows_and_intervals(
            record, evaluation, self.parts, lambda dataset: forecast_windows(
                model, dataset, self.plan.forward_context, loader.batch_size), weights.content,
            options, console)
        if record.split == 'test':
            record.repeated_windows = loader.dataset.overlap().count

    def show(self, record: TestRecord, console: Console) -> None:
        """See `Task`."""
        show_rows(record, self.plan.loaded.name, console)
        if record.repeated_windows:
            say(console, self.parts.dataset(record.split).copies_in_words(), 'warning')

    def check_predict(self, options) -> None:
        """See `Task`."""
        check_file(options)

    def predict(self, model: nn.Module, weights: Weights, options, on_bad) -> Iterator[str]:
        """The lines of a CSV, or where it was written."""
        return forecast_file(model, self.plan, self.parts, weights, options)
