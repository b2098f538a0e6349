"""The whole way: prepare, doctor, probe, choose, train, test, report.

What a step leaves on the disk is what the next one reads, so that a way that was stopped goes on
where it was: a step whose result is there is shown and not taken again.
"""

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from amlnn.atomic import write_text
from amlnn.command import command_line
from amlnn.config.load import load_config
from amlnn.data.prepare.fixes import read_fixes
from amlnn.engine.options import TrainOptions
from amlnn.engine.run.progress import duration
from amlnn.errors import DataError, UsageError
from amlnn.formulas.proportions import wilson
from amlnn.records import TestRecord, read_test
from amlnn.results.probed import Probed, read_probed
from amlnn.start.candidates import CANDIDATES, Candidate, at_hand
from amlnn.start.choice import LEAST_EPOCHS, SLACK, explained, options, shortest
from amlnn.start.chosen_config import config_text
from amlnn.start.source import RATIOS, Given
from amlnn.start.steps import Steps
from amlnn.studies.trained import runs_of

__all__ = ['StartOptions', 'start']

PROBING = 0.2
"""Share of the time left that looking at one more backbone may take."""

RESERVE = 40.0
"""Seconds kept back for what comes before the first epoch, the test and the report."""

_SPLIT_WORDS = {
    'test': 'of `test`, by which nothing was chosen',
    'val': 'of `val`, by which stages and epoch were chosen too, which flatters'}


@dataclass(frozen=True)
class StartOptions:
    """The command line of tools/start.py."""

    folder: Path
    minutes: float
    out: Path | None = None
    work_dir: Path | None = None
    seed: int | None = None
    device: str = 'auto'


def start(options: StartOptions, given: Given, steps: Steps) -> None:
    """Take every step that is not taken yet.

    Args:
        options: The command line.
        given: What its DIR is.
        steps: Takes them.

    Raises:
        AmlnnError: the images, the time or a step's input is not enough, or a step failed.
        KeyboardInterrupt: it was stopped; the same command goes on.
    """
    try:
        Way(options, given, steps).go()
    except KeyboardInterrupt:
        steps.say(f'stopped after {duration(steps.spent)}; what is done is kept, and the same '
                  'command goes on')
        raise


@dataclass
class Way:
    """One call.

    Args:
        options: The command line.
        given: What its DIR is.
        steps: Takes them.
    """

    options: StartOptions
    given: Given
    steps: Steps

    def go(self) -> None:
        """Take the steps."""
        candidates = at_hand(CANDIDATES)
        self.prepare()
        self.doctor(candidates[0])
        config = self.config_path
        if not config.is_file():
            self.choose(self.probe(candidates))
        else:
            self.steps.title('choose: backbone, frozen stages, epochs')
            text = config.read_text(encoding='utf-8', errors='replace')
            others = '' if self._content in text else ', and not said to be for these images'
            self.steps.outcome(f'the config is there{others}: {config}; without it, it is chosen '
                               'anew')
        folder = self.train()
        record = self.test(folder)
        self.report(folder)
        self.end(folder, record)

    @property
    def work_dir(self) -> Path:
        """Of everything but the data set."""
        return self.options.work_dir or Path('work_dirs') / f'start_{self.given.name}'

    @property
    def config_path(self) -> Path:
        """Of the config; another time has another one."""
        return self.work_dir / f'start_{self.given.name}_{self.options.minutes:g}min.py'

    @property
    def _device(self) -> list[str]:
        device = self.options.device
        return [] if device == 'auto' else ['--device', device]

    @cached_property
    def _content(self) -> str:
        """Of folders that belong to the images as they are now."""
        return self.given.content

    def prepare(self) -> None:
        """Make the data set of raw images."""
        self.steps.title('prepare: open every image, divide them, write them in ImageNet format')
        if self.given.source is None:
            self.steps.outcome(f'{self.given.data} is prepared: {self._counted()}')
            return
        done = self.given.prepared
        try:
            self.steps.command('preprocess', *self.given.prepare_words, done=done)
        except DataError as error:
            hint = f'{error.hint}; by hand, with the command above, and then: ' \
                + command_line('start', self.given.data) if '--' in error.hint else error.hint
            raise DataError(error.message, hint) from error
        self.steps.outcome(f'{self.given.data}: {self._counted()}')

    def _counted(self) -> str:
        return ', '.join(f'{count:,} {part}' for part, count in self.given.parts.items()) \
            + ' images'

    def doctor(self, candidate: Candidate) -> None:
        """Look for what is wrong with the images; what to do about it is the user's."""
        self.steps.title('doctor: look for wrong labels, copies, outliers, shortcuts')
        out = self.work_dir / f'doctor-{self._content}'
        page, table = out / 'index.html', out / 'fixes.csv'
        self.steps.command('doctor', str(self.given.data), '--config', candidate.config,
                           '--out', str(out), *self._device, done=page.is_file())
        found = _reasons(table)
        named = ', '.join(f'{count:,} {reason}' for reason, count in found.items())
        self.steps.outcome(f'{named or "nothing"} found, and nothing was changed: {page}')
        if found:
            line = command_line('preprocess', *self.given.prepare_words, '--overwrite', '--fixes',
                                table)
            self.steps.say(f'go through {table}, delete the rows of images that are right as they '
                           f'are; then, if you want to, apply it and start again:\n  {line}')

    def probe(self, candidates: list[Candidate]) -> list[Probed]:
        """Ask what each backbone's features are worth, as long as there is time for it."""
        self.steps.title('probe: what the features are worth, and how long trainings take here')
        found: list[Probed] = []
        for candidate in candidates:
            seconds = _probing(candidate, found)
            if found and seconds > PROBING * self.steps.left:
                self.steps.say(f'{candidate.name} is left out: to look at it takes about '
                               f'{duration(seconds)}')
                continue
            found.append(self._probed(candidate))
            best = max(found[-1].cells, key=lambda cell: cell.accuracy.value)
            self.steps.outcome(f'{candidate.name}: {100 * best.accuracy.value:.1f} % without any '
                               'training, by all that its stages give')
        return found

    def _probed(self, candidate: Candidate) -> Probed:
        out = self.work_dir / '-'.join(['probe', self._content, candidate.name,
                                        *self._device[1:]])
        words = [candidate.config, '--data', str(self.given.data), '--split', 'val',
                 '--out', str(out), *self._device]
        try:
            (found,) = read_probed(out / 'probe.json')
            if found.config == candidate.config and any(cell.pace for cell in found.cells):
                self.steps.command('probe', *words, done=True)
                return found
        except (DataError, ValueError):
            pass  # there is none, or not a whole one
        self.steps.command('probe', *words)
        return read_probed(out / 'probe.json')[0]

    def choose(self, probed: list[Probed]) -> None:
        """Pick what promises most in the time that is left, and write it as a config."""
        self.steps.title('choose: backbone, frozen stages, epochs')
        reserve = RESERVE + _testing(probed, self.given.parts.get('test', 0))
        seconds = self.steps.left - reserve
        found = options(probed, seconds)
        if not found:
            needed = reserve + shortest(probed)  # what was done until here is not done again
            raise UsageError(
                f'no training fits into --minutes {self.options.minutes:g}: '
                f'{duration(self.steps.spent)} are used, and the shortest of {LEAST_EPOCHS} epochs '
                f'takes about {duration(shortest(probed))}', hint=self._again(needed / 60 * 1.1)
                + ' fits; what is done is not done again')
        why = explained(found, seconds)
        write_text(self.config_path,
                   config_text(found[0], [*why, f'images: {self._content}'], self.given.data,
                               self.config_path))
        self.steps.outcome(why[0], *why[1:], f'the config, to be edited: {self.config_path}')

    def _again(self, minutes: float) -> str:
        """This command with another time."""
        words = [str(self.options.folder), '--minutes', f'{max(1, math.ceil(minutes))}']
        for option, value in (('--out', self.options.out), ('--work-dir', self.options.work_dir),
                              ('--seed', self.options.seed)):
            words += [] if value is None else [option, str(value)]
        return command_line('start', *words, *self._device)

    def train(self) -> Path:
        """Train, or go on training; the run folder."""
        self.steps.title('train')
        words = [str(self.config_path)]
        words += [] if self.options.seed is None else ['--seed', str(self.options.seed)]
        words += self._device
        folder = self._run('done')
        if folder is None and (begun := self._run('interrupted', 'failed', 'running')):
            words += ['--resume', str(begun)]
        self.steps.command('train', *words, done=folder is not None)
        folder = folder or self._run('done')
        if folder is None:
            raise DataError(f'the training left no finished run in `{self.work_dir}`',
                            hint='did its config change meanwhile? the same command trains it')
        self.steps.outcome(f'run folder: {folder}')
        return folder

    def _run(self, *status: str) -> Path | None:
        """The newest run of the config and seed that ended so."""
        wanted = TrainOptions(
            load_config(self.config_path),
            seed=self.options.seed,  # type: ignore[arg-type]  # checked less
            device=self.options.device)
        folder = Path(str(wanted.loaded().work_dir))
        return next((path for path, record in runs_of(wanted, folder)
                     if record.status in status), None)

    def test(self, folder: Path) -> TestRecord:
        """Judge the best epoch on what it was not trained on."""
        self.steps.title('test')
        split = 'test' if self.given.parts.get('test') else 'val'
        path, best = folder / f'test_{split}.json', folder / 'best.pth'
        done = path.is_file() and path.stat().st_mtime >= best.stat().st_mtime
        self.steps.command('test', str(self.config_path), str(best), *self._device, done=done)
        record = read_test(path)
        self.steps.outcome(_accuracy(record))
        return record

    def report(self, folder: Path) -> None:
        """Write the page of the run."""
        self.steps.title('report')
        page = self._page(folder)
        done = page.is_file() and all(page.stat().st_mtime >= path.stat().st_mtime
                                      for path in folder.glob('test_*.json'))
        self.steps.command('report', str(folder), '--out', str(page.parent), done=done)
        self.steps.outcome(f'page: {page}')

    def _page(self, folder: Path) -> Path:
        """Of the report of a run."""
        return self.work_dir / f'report-{folder.name}' / 'index.html'

    def end(self, folder: Path, record: TestRecord) -> None:
        """Say where all is, and how to go on."""
        say = self.steps.say
        self.steps.title(f'done: {_accuracy(record)}')
        if record.split == 'val':
            say('a test part lets you judge without flattery: ' + command_line(
                'preprocess', 'SRC', self.given.data, *RATIOS, '--overwrite'))
        say(f'page: {self._page(folder)}')
        say(f'config, to be edited: {self.config_path}')
        say('your own photographs: ' + command_line(
            'predict', self.config_path, folder / 'best.pth', 'photos/', '--topk', 3))
        say(f'longer: {self._again(3 * self.options.minutes)}')
        over = -self.steps.left
        say(self.steps.time if over <= 0 else
            f'{self.steps.time}: {duration(over)} longer than asked for')


def _reasons(table: Path) -> dict[str, int]:
    """Rows of a doctor's table by their reason; none where somebody has taken it away."""
    try:
        return dict(Counter(fix.reason for fix in read_fixes(table)))
    except DataError:
        return {}


def _probing(candidate: Candidate, found: list[Probed]) -> float:
    """About how long it takes to probe one more; nobody knows of the first."""
    if not found:
        return 0.0
    first = found[0]
    view = max((cell.pace.view for cell in first.cells if cell.pace), default=0.0)
    images = first.images['train'] + first.images['val']
    return SLACK * candidate.cost * 2 * view / first.images['train'] * images


def _testing(probed: list[Probed], images: int) -> float:
    """About how long it takes to test a backbone on so many images."""
    rates = [cell.pace.view / each.images['train'] for each in probed for cell in each.cells
             if cell.pace]
    return SLACK * images * max(rates, default=0.0)


def _accuracy(record: TestRecord) -> str:
    judged = f'on {record.samples:,} images {_SPLIT_WORDS[record.split]}'
    if 'accuracy/top1' not in record.metrics:  # a config that was edited
        return f'tested {judged}'
    value = record.metrics['accuracy/top1'] / 100
    low, high = wilson(value, record.samples)
    return (f'top-1 {100 * value:.2f} % (95 % interval {100 * low:.1f} to {100 * high:.1f}) '
            f'{judged}')

