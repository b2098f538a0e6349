"""What a training is given and how long it takes, asked before it begins; nothing is trained."""

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass

from mmengine.evaluator import Evaluator
from torch import nn

from amlnn.browsed import Browsed, PartWork, TrainingTime
from amlnn.config.load import LoadedConfig
from amlnn.engine.kinds import in_scope
from amlnn.engine.new_record import count_samples
from amlnn.engine.opening import check_trainable, open_to_train
from amlnn.engine.pace import measure_pace
from amlnn.engine.rate_course import rate_courses
from amlnn.engine.rehearsal import as_config_error, kept_generators
from amlnn.engine.seeding import seed_epoch
from amlnn.engine.task import Task
from amlnn.errors import UsageError
from amlnn.models.multiplications import multiplications
from amlnn.models.parameters import parameter_row

__all__ = ['BrowseOptions', 'browse']


@dataclass(frozen=True)
class BrowseOptions:
    """What is shown.

    Args:
        count: Samples.
        views: Of each image.
        seed: Overrides `randomness.seed`.

    Raises:
        UsageError: nothing would be shown.
    """

    count: int = 8
    views: int = 4
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.count < 1 or self.views < 1:
            raise UsageError(f'{self.count} samples in {self.views} views show nothing',
                             hint='--samples and --views of 1 or more')


def browse(loaded: LoadedConfig, device: str, options: BrowseOptions) -> Browsed:
    """Look at what a training would be given, and measure a few batches.

    The model has random weights: nothing here depends on them, and none are looked for.

    Args:
        loaded: From `load_config`.
        device: 'cpu' or 'cuda'.
        options: What is shown.

    Raises:
        AmlnnError: config, data and libraries do not go together.
    """
    notes = check_trainable(loaded)
    with in_scope(loaded.config), kept_generators():
        task = open_to_train(loaded, device, options.seed, None, notes)
        seed_epoch(task.plan.seed, -1)
        model, _ = task.build_model(weights=False)
        loaders = {part: task.loader(part) for part in ('train', 'val')
                   if task.plan.config.get(f'{part}_dataloader')}
        train = loaders['train']
        described = task.describe(count_samples(loaders))
        given = task.given(model, train, options.count, options.views)
        parts = _parts(task, model, train)
        rates, said, spent = [], [], None
        if not task.fitted_at_once:
            rates, said = rate_courses(task, model, train)
            spent = _time(task, model, loaders)
        return Browsed(loaded.name, described, task.samples, given, parts, rates, spent,
                       [*task.plan.notes, *said])


def _parts(task: Task, model: nn.Module, loader) -> list[PartWork]:
    """Parameters and multiplications of each part that has any."""
    batch = next(iter(task.first_batch(loader, 1)))
    model.eval()
    with as_config_error(f'the model on one of the {task.samples}'):
        counted = multiplications(model, lambda: model(
            **model.data_preprocessor(batch, False), mode='tensor'))
    named = list(model.named_parameters())
    parts = []
    for part, holds in task.model_parts(model):
        row = parameter_row(part, [each for name, each in named if holds(name)])
        work = sum(count for name, count in counted.items() if holds(name))
        if row.total_parameters or work:
            parts.append(PartWork(part, row.frozen, row.trainable_parameters,
                                  row.total_parameters, work))
    return parts


def _time(task: Task, model: nn.Module, loaders: dict) -> TrainingTime:
    epochs = task.plan.config['train_cfg']['max_epochs']
    path = task.fast_path(model, {'train': loaders['train']})
    path = path if path and path.views else None
    pace = measure_pace(task, model, loaders['train'], path)
    first = later = None
    if 'val' in loaders:
        first, later = _validation(task, model, loaders['val'], path)
    workers = getattr(loaders['train'], 'num_workers', 0)
    return TrainingTime(pace.loading, workers, pace.frozen, pace.rest, first, later, epochs,
                        path.views if path else 0)


def _validation(task: Task, model: nn.Module, loader, path) -> tuple[float, float]:
    """Seconds of the first epoch's validation, and of one whose features are there."""
    evaluator = task.evaluator('val', loader)
    with as_config_error('an evaluation'):
        began = time.perf_counter()
        few = task.first_batch(loader)
        batch = next(iter(few))
        loading = len(loader) * (time.perf_counter() - began)
        steps = _evaluation(task, model, _Same(batch, few), len(loader), evaluator)
        first = max(loading, steps) if getattr(loader, 'num_workers', 0) else loading + steps
        if path is None:
            return first, first
        features = path.features(batch)  # which writes into the samples what it makes of labels
        stored = _Same({**batch, 'inputs': features}, few)
        return first, _evaluation(task, model, stored, len(loader), evaluator, path.predict)


class _Same:
    """A loader that gives the same batch several times.

    Args:
        batch: The batch.
        loader: The one it is from.
    """

    def __init__(self, batch: dict, loader):
        self.batch = batch
        self.dataset = loader.dataset
        self.batches: list[dict] = []

    def times(self, count: int) -> '_Same':
        """This loader, which will give copies: a preprocessor writes into its samples."""
        self.batches = [copy.deepcopy(self.batch) for _ in range(count)]
        return self

    def __iter__(self) -> Iterator[dict]:
        return iter(self.batches)


def _evaluation(task: Task, model: nn.Module, same: _Same, count: int, evaluator: Evaluator,
                forward=None) -> float:
    """Seconds of so many batches: what one takes, and what summing up takes once."""
    def seconds(times: int) -> float:
        batches = same.times(times)
        began = time.perf_counter()
        task.evaluate(model, batches, evaluator, forward=forward)
        return time.perf_counter() - began

    seconds(1)  # prepares what is kept
    one, several = seconds(1), seconds(3)
    each = max((several - one) / 2, 0.0)
    return max(one - each, 0.0) + count * each
