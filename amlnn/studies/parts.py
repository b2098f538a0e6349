"""What a study consists of: sweeps, models taken as they are, series, votes."""

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console

from amlnn.command import shipped_config
from amlnn.config.data_place import data_option
from amlnn.config.files import resolve
from amlnn.config.load import load_config
from amlnn.engine.evaluate import TestOptions, test
from amlnn.engine.options import PredictOptions, TrainOptions
from amlnn.engine.predict import predict
from amlnn.engine.train import planned_identity
from amlnn.errors import AmlnnError, UsageError
from amlnn.report.page import Extra
from amlnn.results.ballots import read_members
from amlnn.results.ensemble_folder import write_ensemble
from amlnn.results.ensembles import hold_votes
from amlnn.results.store import StoredRun, find_runs
from amlnn.results.summary import Summary, compare
from amlnn.studies.series import StudyOptions, run_study
from amlnn.sweep.run_sweep import run_sweep
from amlnn.sweep.space import Sweep, read_sweep
from amlnn.sweep.trials import SweepOptions

__all__ = ['Part', 'Request', 'Result', 'SeriesPart', 'SweepPart', 'VotePart', 'ZeroShotPart']


@dataclass
class Request:
    """What the command line asks of a part."""

    options: SweepOptions
    seeds: int | None
    engine: str
    console: Console
    smoke: bool = False
    image: Path | None = None
    """Whose ten best classes are listed; None takes one of the data set's."""
    image_options: tuple[str, ...] = ()
    """Further overrides of configs of images."""

    @property
    def of_images(self) -> SweepOptions:
        """The options of a part about images."""
        return replace(self.options,
                       cfg_options=(*self.image_options, *self.options.cfg_options))


@dataclass
class Result:
    """What a part has to show."""

    runs: list[StoredRun] = field(default_factory=list)
    summaries: list[Summary] = field(default_factory=list)
    extras: list[Extra] = field(default_factory=list)


@dataclass(frozen=True)
class Part(ABC):
    """A table of a study, or several."""

    name: str
    """As --part takes it."""
    title: str

    @abstractmethod
    def run(self, request: Request, before: Sequence[Result]) -> Result:
        """Train and test what is not done yet.

        Args:
            request: The command line.
            before: Results of the parts that come before it.
        """


@dataclass(frozen=True)
class SweepPart(Part):
    """Configs, or points of axes, seed by seed."""

    file: str = ''
    """Its sweep, below `configs/sweeps`."""

    def sweep(self, request: Request) -> Sweep:
        """Its sweep, as the command line asks for it."""
        path = resolve(Path(shipped_config('configs/sweeps')) / self.file)
        if path is None or not path.is_file():
            raise UsageError(f'no `configs/sweeps/{self.file}` here',
                             hint='run it from the folder of the project')
        sweep = read_sweep(path)
        if request.seeds is not None:
            sweep.take_seeds(request.seeds)
        return sweep

    def run(self, request: Request, before: Sequence[Result]) -> Result:
        """See `Part`."""
        found = run_sweep(self.sweep(request), request.of_images, request.console, request.engine)
        for summary in found.summaries:
            summary.title = self.title
        extras = []
        if found.unfinished:
            extras.append(Extra(f'{self.title}: not in the table', ['trial', 'why'],
                                [list(pair) for pair in found.unfinished], text_columns=2))
        return Result(found.runs, found.summaries, extras)


@dataclass(frozen=True)
class ZeroShotPart(Part):
    """Models with the 1000 classes of ImageNet, evaluated as they are."""

    configs: tuple[str, ...] = ()
    """Below `configs`."""

    def run(self, request: Request, before: Sequence[Result]) -> Result:
        """See `Part`."""
        result, left_out, listing = Result(), [], []
        for name in self.configs:
            config = Path(shipped_config(f'configs/{name}'))
            try:
                run = _evaluated(config, request)
                result.runs.append(run)
                listing += _listing(config, run, request)
            except AmlnnError as error:
                request.console.print(f'{config.stem}: {error.message}', markup=False)
                left_out.append([config.stem, error.message, error.hint])
        if result.runs:
            result.summaries = compare(result.runs)
            for summary in result.summaries:
                summary.title = self.title
        if listing:
            result.extras.append(Extra(
                f'{self.title}: the ten best classes of an image',
                ['configuration', 'image', 'wnid', 'name', 'probability'], listing, text_columns=4))
        if left_out:
            result.extras.append(Extra(
                f'{self.title}: not in the table', ['configuration', 'why', 'what to do'], left_out,
                text_columns=3))
        return result


def _evaluated(config: Path, request: Request) -> StoredRun:
    """The run folder of a model that was evaluated as it is; found again where there is one."""
    options = request.of_images
    given = [*options.cfg_options, *data_option(options.data)]
    loaded = load_config(config, given)
    folder = options.work_dir / config.stem
    wanted = planned_identity(TrainOptions(loaded, device=options.device))
    if folder.is_dir():
        for run in find_runs([folder], lambda line: None):
            if run.record.experiment == wanted and run.tests and run.record.status == 'done':
                return run
    loaded.config['work_dir'] = str(folder)
    request.console.print(f'{config.stem}: evaluating', markup=False)
    test(TestOptions(loaded, checkpoint=Path('pretrained'), split='val', device=options.device,
                     command=['tools/test.py', str(config), 'pretrained']), Console(quiet=True))
    return find_runs([folder / 'latest'])[0]


def _listing(config: Path, run: StoredRun, request: Request) -> list[list[str]]:
    """The ten best classes of an image: wnid, name, probability."""
    stored = run.predictions(next(iter(run.tests)))
    root = run.tests[next(iter(run.tests))].data_root
    image = request.image or Path(root or '') / str(stored.ids[0])
    if not image.is_file():
        return []
    given = [*request.of_images.cfg_options, *data_option(request.options.data)]
    loaded = load_config(config, given)
    lines = predict(PredictOptions(
        loaded, checkpoint=Path('pretrained'), inputs=[str(image)], topk=10, json=True,
        device=request.options.device), lambda path, reason: None)
    found = [each for line in lines for each in json.loads(line)['topk']]
    return [[config.stem, image.name, *each['name'].split(' ', 1), f'{each["prob"]:.4f}']
            for each in found]


@dataclass(frozen=True)
class SeriesPart(Part):
    """Recurrent forecasters on generated series, as reported and sound."""

    study: str = 'b'

    def run(self, request: Request, before: Sequence[Result]) -> Result:
        """See `Part`."""
        options = StudyOptions(
            self.study, request.options.work_dir / f'series_{self.study}',
            seeds=request.seeds or 1, device=request.options.device,
            configs=Path(shipped_config('configs/series')),
            cfg_options=tuple(request.options.cfg_options))
        study = run_study(options, None, lambda line: request.console.print(line, markup=False))
        extras = [Extra(f'{self.title}: {table.title}', [each.replace('\n', ' ')
                                                         for each in table.header], table.rows)
                  for table in study.tables]
        if extras:
            extras[-1] = replace(extras[-1], notes=tuple(study.notes))
        return Result(find_runs([options.work_dir]), [], extras)


@dataclass(frozen=True)
class VotePart(Part):
    """A vote over what the study has trained."""

    members: tuple[str, ...] = ()
    """Config names; of each the run with the smallest seed."""

    def run(self, request: Request, before: Sequence[Result]) -> Result:
        """See `Part`."""
        trained: dict[str, StoredRun] = {}
        for run in sorted((run for result in before for run in result.runs),
                          key=lambda run: run.record.seed):
            if run.record.config_name in self.members:
                trained.setdefault(run.record.config_name, run)
        if len(trained) < 2:
            known = ', '.join(trained) or 'none'
            return Result(extras=[Extra(
                f'{self.title}: not held', ['why', 'what to do'],
                [[f'two members are needed, and {known} is trained',
                  'run the parts before it first']], text_columns=2)])
        members, notes = read_members([run.folder for run in trained.values()])
        outcome = hold_votes(members, notes=notes)
        folders = [write_ensemble(outcome, vote, request.options.work_dir / 'ensemble', sys.argv)
                   for vote in outcome.votes]
        runs = [*trained.values(), *find_runs(folders)]
        summaries = compare(runs)
        for summary in summaries:
            summary.title = self.title
            summary.notes += outcome.notes
        return Result(find_runs(folders), summaries)
