"""Studies B and C on generated series: every training as reported, and its sound twin.

A training that was finished is not repeated: it is found again by the identity of its experiment
(`amlnn.config.experiment`), initial weights included, and its seed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from amlnn.config.files import resolve
from amlnn.config.load import load_config
from amlnn.data.series.generate import GeneratedSeries
from amlnn.data.series.windows import SeriesWindows
from amlnn.engine.evaluate import TestOptions, test
from amlnn.engine.train import TrainOptions, train
from amlnn.errors import UsageError
from amlnn.formulas.digits import shown
from amlnn.records import RunRecord
from amlnn.results.reported import read_reported
from amlnn.results.series_study import (
    LENGTHS,
    MODELS,
    POINTS,
    DataFacts,
    Study,
    describe_b,
    describe_c,
)
from amlnn.results.store import StoredRun, find_runs
from amlnn.studies.trained import runs_of

__all__ = ['StudyOptions', 'Trial', 'components', 'data_facts', 'run_study', 'trials']

_SOURCE = 'train_dataloader.dataset.source'


@dataclass
class StudyOptions:
    """The command line of tools/series_study.py."""

    study: str
    """'b' or 'c'."""
    work_dir: Path
    seeds: int = 1
    """Trainings of each variant; the series stays the same."""
    device: str = 'auto'
    configs: Path = Path('configs/series')
    """Their folder, as a user names it: `amlnn::series` too."""
    cfg_options: tuple[str, ...] = ()
    """For every trial."""


@dataclass(frozen=True)
class Trial:
    """One variant of a study."""

    model: str
    """A key of MODELS."""
    ending: str
    """Of its name; the data, and how it begins."""
    changes: tuple[str, ...]
    """Overrides of the config."""
    begins_with: str | None = None
    """The variant whose last weights it begins with."""

    @property
    def variant(self) -> str:
        """The name of its folder."""
        return f'{self.model}_{self.ending}'


def trials(study: str) -> list[Trial]:
    """Every variant of study 'b' or 'c', in an order in which each finds what it begins with.

    >>> [len(trials(study)) for study in 'bc']
    [28, 12]
    """
    found = []
    for model in MODELS:
        if study == 'c':
            short, long = POINTS
            longer = (f'{_SOURCE}.length={long}',)
            found += [Trial(model, str(short), ()), Trial(model, str(long), longer),
                      Trial(model, f'{long}_warm', longer, f'{model}_{short}')]
            continue
        for length, times in LENGTHS.items():
            days = GeneratedSeries(preset='study_b').parts['length'] * times
            found.append(Trial(model, str(length), (f'{_SOURCE}.length={days}',)))
            if times > 1:
                found.append(Trial(model, f'{length}_appended', (f'{_SOURCE}.append={times}',)))
    return found


def run_study(options: StudyOptions, draw: Callable[[RunRecord, Path], None] | None = None,
              say: Callable[[str], None] = print) -> Study:
    """Train and test what is not there yet, and return the tables.

    Args:
        options: Which study, and where its runs are.
        draw: Draws curves.png of a run.
        say: Told a line for each run.

    Raises:
        AmlnnError: a run failed; those that are finished are kept.
    """
    folder = resolve(options.configs)
    if folder is None or not folder.is_dir():
        raise UsageError(f'no `{options.configs}` here',
                         hint='run it from the folder of the project')
    if options.seeds < 1:
        raise UsageError(f'--seeds is {options.seeds}', hint='at least 1')
    runs: dict[str, list[StoredRun]] = {}
    facts: dict[str, DataFacts] = {}
    for trial in trials(options.study):
        data = trial.ending.removesuffix('_warm')
        if data not in facts:
            facts[data] = data_facts(_config_path(options, trial), _changes(options, trial))
        for seed in range(options.seeds):
            begin = runs[trial.begins_with][seed] if trial.begins_with else None
            run, new = _run(options, trial, seed, begin, draw)
            runs.setdefault(trial.variant, []).append(run)
            say(_line(trial, run, new))
    describe = {'b': describe_b, 'c': describe_c}[options.study]
    return describe(runs, facts, read_reported(folder / 'reported.json'))


def data_facts(config: Path, changes: tuple[str, ...]) -> DataFacts:
    """Describe a config's data, and what looking up the nearest training window gives."""
    parts = {part: _windows(config, changes, part) for part in ('train', 'test')}
    overlap = parts['test'].overlap()
    inputs, targets = _arrays(parts['train'])
    asked, truth = _arrays(parts['test'])
    nearest = [int(np.square(inputs - window).sum(axis=1).argmin()) for window in asked]
    deviation = float(parts['train'].scaler.deviation[0])
    return DataFacts(
        overlap.count, len(parts['test']), deviation,
        float(np.ptp(parts['train'].training_values)) * deviation,
        float(np.square(targets[nearest] - truth).mean()) * deviation ** 2)


def _arrays(windows: SeriesWindows) -> list[np.ndarray]:
    """[N, L] inputs and [N, P] targets of all windows of one column."""
    batch = windows.__getitems__(list(range(len(windows))))
    return [batch[name][..., 0].numpy().astype(np.float64) for name in ('inputs', 'targets')]


def components(options: StudyOptions) -> dict:
    """Of the study's longest fresh series, what `amlnn.report.forecasting` draws: its parts [T, 1],
    times and borders.
    """
    trial = trials(options.study)[0]
    longest = max((each for each in trials(options.study) if '_' not in each.ending),
                  key=lambda each: int(each.ending))
    section = _data_section(_config_path(options, trial), _changes(options, longest))['source']
    source = GeneratedSeries(**{name: value for name, value in section.items() if name != 'type'})
    windows = _windows(_config_path(options, trial), _changes(options, longest), 'test')
    return dict(parts=source.components(), times=source.read().times, borders=windows.borders)


def _run(options: StudyOptions, trial: Trial, seed: int, begin: StoredRun | None,
         draw) -> tuple[StoredRun, bool]:
    """The finished and tested run of a trial, and whether it had to be trained."""
    pretrained = None
    if begin is not None:
        newest = max((begin.folder / 'checkpoints').glob('epoch_*.pth'))
        pretrained = str(newest)
    loaded = load_config(_config_path(options, trial), _changes(options, trial))
    given = TrainOptions(
        loaded, work_dir=options.work_dir / trial.variant,
        pretrained=pretrained, seed=seed, device=options.device)
    quiet = Console(quiet=True)
    folder = _finished(given)
    new = folder is None
    if new:
        folder = train(given, draw, quiet)
    if not (folder / 'test_test.json').is_file():
        test(TestOptions(loaded, checkpoint=folder / 'best.pth', split='test',
                         device=options.device), quiet)
    return find_runs([folder])[0], new


def _finished(options: TrainOptions) -> Path | None:
    """The newest finished run of the same experiment and seed."""
    found = runs_of(options, options.work_dir or Path())
    return next((folder for folder, record in found if record.status == 'done'), None)


def _line(trial: Trial, run: StoredRun, new: bool) -> str:
    record = run.record
    how = f'{record.total_seconds:.1f} s' if new else 'was there'
    return (f'{MODELS[trial.model]} {trial.ending.replace("_", " ")}, seed {record.seed}: test MSE '
            f'{shown(run.tests["test"].metrics["forecast/mse"])} (scaled), {how}')


def _config_path(options: StudyOptions, trial: Trial) -> Path:
    return options.configs / f'study_{options.study}_{trial.model}.py'


def _changes(options: StudyOptions, trial: Trial) -> tuple[str, ...]:
    return (*trial.changes, *options.cfg_options)


def _data_section(config: Path, changes: tuple[str, ...]) -> dict:
    return load_config(config, changes).config['train_dataloader']['dataset']


def _windows(config: Path, changes: tuple[str, ...], split: str) -> SeriesWindows:
    section = {name: value for name, value in _data_section(config, changes).items()
               if name not in ('type', 'split', 'stride')}
    return SeriesWindows(**section, split=split)

