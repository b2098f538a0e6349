"""Forecasters at several rolling origins: trained, tested, compared, and the best one written down.

What is tested at an origin lies before the test part of the config, which nothing here reads. The
trainings are trials of a sweep: what is done is not done again, and a stopped command goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from amlnn.config.load import load_config
from amlnn.config.options import option
from amlnn.console import say
from amlnn.engine.evaluate import TestOptions, test
from amlnn.errors import RunFailed, UsageError
from amlnn.records import TestRecord, read_test
from amlnn.results.origins import METRICS, OriginRow, rows_with_blends
from amlnn.sweep.driver import Driver
from amlnn.sweep.run_sweep import run_driver
from amlnn.sweep.space import Sweep
from amlnn.sweep.trials import Candidate, SweepOptions, Trial, said_of

__all__ = ['ORIGIN', 'Backtest', 'Backtested', 'origin_table']

ORIGIN = 'train_dataloader.dataset.origin'
"""The key that puts a config at an origin."""
FIXED = '.backtest'
"""Folder of what models of the first origin gave at later ones."""

_TEST = 'predictions_test.npz'


@dataclass
class Backtested:
    """What came out."""

    rows: list[OriginRow]
    """Of the configs in their order, then those of all of them together."""
    simple: list[OriginRow]
    """Simple methods on the windows of the first config; empty where nothing is trained again."""
    configs: list[str]
    """Of the first rows."""
    metric: str

    @property
    def best(self) -> OriginRow:
        """The row of the least mean, of those that a config can be."""
        return min(self.rows, key=lambda row: row.mean)

    def weights_in_words(self) -> list[str]:
        """What blends are made of, a line each."""
        return [f'{row.name}: ' + ', '.join(f'{weight:.3f} {member.name}' for weight, member in
                                            zip(row.weights, self.rows, strict=False))
                for row in self.rows if row.weights]


@dataclass
class Backtest:
    """One comparison.

    Args:
        configs: Paths of configs, or with their package.
        options: Folder, data, overrides and device, as of a sweep.
        origins: How many.
        seeds: Seeds 0 to `seeds` - 1.
        refit: Train at every origin; else at the first one alone, and test that model at all.
        metric: 'mse' or 'mae'.
    """

    configs: Sequence[str]
    options: SweepOptions
    origins: int = 4
    seeds: int = 1
    refit: bool = True
    metric: str = 'mse'

    def run(self, console: Console) -> Backtested:
        """Train, test and compare.

        Raises:
            AmlnnError: a config or its data is wrong, or a training failed.
            KeyboardInterrupt: it was stopped; the same command goes on.
        """
        self._check()
        driver = self._train(console)
        found: dict[str, list[list[Path]]] = {}
        for candidate in driver.candidates:
            config = str(candidate.point['config']) if len(self.configs) > 1 else self.configs[0]
            found.setdefault(config, []).extend(self._tested(candidate, console))
        records = {config: [[read_test(folder / 'test_test.json') for folder in seeds]
                            for seeds in origins] for config, origins in found.items()}
        rows = [OriginRow(name, [[_error(record, self.metric) for record in seeds]
                                 for seeds in records[config]])
                for name, config in zip(_names(self.configs), self.configs, strict=True)]
        files = [[[folder / _TEST for folder in seeds] for seeds in found[config]]
                 for config in self.configs]
        return Backtested(rows_with_blends(rows, files, self.metric),
                          self._simple(records[self.configs[0]]), list(self.configs), self.metric)

    def _check(self) -> None:
        if self.metric not in METRICS:
            raise UsageError(f'--metric {self.metric}', hint=f'one of {", ".join(METRICS)}')
        for name, value, least in (('origins', self.origins, 2), ('seeds', self.seeds, 1),
                                   ('jobs', self.options.jobs, 1)):
            if value < least:
                raise UsageError(f'--{name} is {value}', hint=f'at least {least}')
        for place, config in enumerate(self.configs):
            if config in self.configs[:place]:
                raise UsageError(f'`{config}` is named twice', hint='name it once')

    def _train(self, console: Console) -> Driver:
        places = range(self.origins) if self.refit else range(1)
        sweep = Sweep(Path('backtest'), list(self.configs),
                      {ORIGIN: [[place, self.origins] for place in places]},
                      seeds=list(range(self.seeds)), test='test')
        driver = run_driver(sweep, self.options, console)
        for trial in driver.trials:
            state = driver.states[trial.name]
            if state.progress != 'done':
                raise RunFailed(f'{trial.label}, seed {trial.seed}: {said_of(state)}',
                                hint='what is done is kept: the same command goes on')
        return driver

    def _tested(self, candidate: Candidate, console: Console) -> list[list[Path]]:
        """Folders of tests: by origin, of the candidate's own or of all, and seed."""
        if self.refit:
            return [[self.options.work_dir / trial.name for trial in candidate.trials]]
        found: list[list[Path]] = []
        for place in range(self.origins):
            found.append([self._test_later(trial, place, console) if place
                          else self.options.work_dir / trial.name for trial in candidate.trials])
        return found

    def _test_later(self, trial: Trial, place: int, console: Console) -> Path:
        """Test a model of the first origin at a later one."""
        folder = self.options.work_dir / FIXED / f'{trial.name}-{place}'
        if not (folder / 'test_test.json').is_file():
            say(console, f'{trial.label}, seed {trial.seed}, tested at origin {place + 1}')
            later = option(ORIGIN, [place, self.origins])  # the last one holds
            test(TestOptions(
                config=load_config(trial.config, [*trial.options, later]),
                checkpoint=self.options.work_dir / trial.name / 'best.pth', split='test',
                device=self.options.device, into=folder, data_changed=True), Console(quiet=True))
        return folder

    def _simple(self, records: list[list[TestRecord]]) -> list[OriginRow]:
        if not self.refit:
            return []
        names = [name for name in records[0][0].baselines
                 if all(name in seeds[0].baselines for seeds in records)]
        return [OriginRow(name, [[seeds[0].baselines[name][f'forecast/{self.metric}']]
                                 for seeds in records]) for name in names]


def _error(record: TestRecord, metric: str) -> float:
    name = f'forecast/{metric}'
    if name not in record.metrics:
        raise UsageError(f'the test of a config has no `{name}`',
                         hint="test_evaluator=dict(type='ForecastError')")
    return record.metrics[name]


def _names(configs: Sequence[str]) -> list[str]:
    """Short, where that tells them apart."""
    short = [Path(each.rpartition('::')[2]).stem for each in configs]
    return [name if short.count(name) == 1 else config
            for name, config in zip(short, configs, strict=True)]


def origin_table(found: Backtested) -> Table:
    """Errors by origin, their mean and spread, and at how many origins the first row is beaten."""
    origins = len(found.rows[0].errors)
    table = Table(f'{found.metric.upper()} (scaled)', *(f'origin {place + 1}'
                                                        for place in range(origins)),
                  'mean', 'spread', 'better than the first', box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = 'right'
    best, first = found.best, found.rows[0]
    for row in [*found.rows, *found.simple]:
        mark = ' *' if row is best else ''
        table.add_row(row.name + mark, *(f'{each:.4f}' for each in row.by_origin),
                      f'{row.mean:.4f}', f'{row.spread:.4f}',
                      '' if row is first else f'{row.wins(first)} of {origins}')
    return table
