"""The tables of studies B and C: what the reports say beside what runs measured.

Runs are known by the variant they are of: `lstm_716_appended` is the LSTM on the series that was
appended to itself until it has 716 windows, `lstm_716` the same number of windows of fresh data.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from amlnn.formulas.seeds import mean_and_deviation
from amlnn.records import TRUTH
from amlnn.results.reported import Reported
from amlnn.results.store import StoredRun

__all__ = ['LENGTHS', 'MODELS', 'POINTS', 'DataFacts', 'Study', 'StudyTable', 'describe_b',
           'describe_c']

MODELS = {'lstm': 'LSTM', 'gru': 'GRU', 'bidirectional': 'Bidirectional', 'deep': 'Deep RNN'}
LENGTHS = {351: 1, 716: 2, 1446: 4, 2906: 8}
"""Windows of study B's series of 365 days by how often it stands behind itself."""
POINTS = (1000, 3000)
"""Lengths of study C's series."""

_B_UNSOUND = (
    'Why the reported protocol is unsound: a series appended to itself has copies of its test part '
    'in its training part, so the error falls for any method that remembers; a look-up of the '
    'nearest training window reaches 0.')
_C_UNSOUND = (
    'Why the reported protocol is unsound: the runs on 3,000 points begin at a loss that only '
    'trained weights have, so they measure 20 epochs, not the longer series.')


@dataclass(frozen=True)
class DataFacts:
    """What is known of a variant's data without any model."""

    copies: int
    """Test windows that occur in the training part too."""
    windows: int
    """Test windows."""
    deviation: float
    """Of the training rows: scaled = (value - mean) / deviation."""
    extent: float
    """Largest less smallest training value."""
    look_up: float
    """Mean squared error of the nearest training window's target, in original units."""


@dataclass
class StudyTable:
    """One table as text."""

    title: str
    header: list[str]
    rows: list[list[str]]


@dataclass
class Study:
    """What a study's command shows."""

    title: str
    tables: list[StudyTable]
    notes: list[str] = field(default_factory=list)


def describe_b(runs: Mapping[str, Sequence[StoredRun]], facts: Mapping[str, DataFacts],
               reported: Mapping[str, Reported]) -> Study:
    """Study B: error and seconds by length, appended as reported and on fresh data.

    Args:
        runs: Finished and tested runs, one a seed, by variant.
        facts: By the variant's ending: '716_appended', '716'.
        reported: By 'study_b_lstm_716'.

    >>> from collections import defaultdict
    >>> run = tiny_forecaster()
    >>> runs = defaultdict(lambda: [run])
    >>> facts = defaultdict(lambda: DataFacts(0, 4, deviation=2.0, extent=4.0, look_up=5.0))
    >>> reported = defaultdict(lambda: Reported('forecast/mse', 1.25, 'a report', seconds=60.0))
    >>> table = describe_b(runs, facts, reported).tables[0]
    >>> [name.replace('\\n', ' ') for name in table.header[:3]], table.rows[0][:3]
    (['', '351 reported', '351 ours'], ['LSTM', '1.25', '2'])
    """
    columns = [(length, how) for length in LENGTHS for how in _hows(length)]
    header = ['', *(f'{length:,}\n{how}' for length, how in columns)]
    error, seconds = [], []
    for key, name in MODELS.items():
        figures = {length: reported[f'study_b_{key}_{length}'] for length in LENGTHS}
        error.append([name] + [_number(figures[length].value) if how == 'reported' else _spread(
            [_mse(run) for run in runs[f'{key}_{_ending(length, how)}']])
            for length, how in columns])
        seconds.append([name] + [
            _number(figures[length].seconds) if how == 'reported' else
            _spread([run.record.total_seconds for run in runs[f'{key}_{_ending(length, how)}']])
            for length, how in columns])

    def row(name: str, cell: Callable[[str], str]) -> list[str]:
        return [name] + ['' if how == 'reported' else cell(_ending(length, how))
                         for length, how in columns]

    first = next(iter(MODELS))

    def simple(name: str, ending: str) -> str:
        return _simple(runs[f'{first}_{ending}'][0], name, facts[ending].deviation ** 2)

    for name in runs[f'{first}_{next(iter(LENGTHS))}'][0].tests['test'].baselines:
        error.append(row(name, partial(simple, name)))
    error.append(row('nearest training window', lambda ending: _number(facts[ending].look_up)))
    error.append(row('test windows', lambda ending: f'{facts[ending].windows:,}'))
    error.append(row('of them copies', lambda ending: f'{facts[ending].copies:,}'))
    return Study(
        'Study B: a recurrent network and the length of its series',
        [StudyTable('Mean squared error on the test part, original units', header, error),
         StudyTable('Seconds of training; those reported are of another machine', header,
                    seconds)],
        [_B_UNSOUND, 'The columns are numbers of windows (14 days back, 1 ahead). "appended": the '
         'series of 365 days behind itself 2, 4 and 8 times, as reported; "fresh": as many new '
         'days of the same process.',
         'The noise has a deviation of 1: an error below the row of the noise-free truth cannot '
         f'come from forecasting. {_below_noise(runs)}', _seeds(runs)])


def describe_c(runs: Mapping[str, Sequence[StoredRun]], facts: Mapping[str, DataFacts],
               reported: Mapping[str, Reported]) -> Study:
    """Study C: losses on 1,000 and 3,000 points, warm start as reported and fresh weights.

    Args:
        runs: Finished and tested runs, one a seed, by variant: 'lstm_1000', 'lstm_3000_warm',
            'lstm_3000'.
        facts: By the variant's ending: '1000', '3000'.
        reported: By 'study_c_lstm_1000'.

    >>> from collections import defaultdict
    >>> run = tiny_forecaster()
    >>> runs = defaultdict(lambda: [run])
    >>> facts = defaultdict(lambda: DataFacts(0, 4, deviation=2.0, extent=4.0, look_up=5.0))
    >>> reported = defaultdict(lambda: Reported('forecast/mse', 1.25, 'a report', seconds=60.0))
    >>> table = describe_c(runs, facts, reported).tables[0]
    >>> table.title, table.rows[0]
    ('Training loss of the last epoch', ['LSTM', '1.25', '0.125', '1.25', '0.125', '0.125'])
    """
    short, long = POINTS
    ours = [(str(short), f'{short:,}\nours'), (f'{long}_warm', f'{long:,}\nwarm start'),
            (str(long), f'{long:,}\nfresh weights')]

    def units(ending: str) -> float:
        """From scaled units to those in which the training rows span 0 to 1."""
        known = facts[ending.removesuffix('_warm')]
        return (known.deviation / known.extent) ** 2

    def losses(key: str, ending: str, place: int) -> list[float]:
        return [_loss(run, place) * units(ending)
                for run in runs[f'{key}_{ending}']]

    final, begin, test = [], [], []
    for key, name in MODELS.items():
        said = [_number(reported[f'study_c_{key}_{points}'].value) for points in POINTS]
        last = [_spread(losses(key, ending, -1)) for ending, _ in ours]
        final.append([name, said[0], last[0], said[1], *last[1:]])
        begin.append([name] + [_spread(losses(key, ending, 0)) for ending, _ in ours])
        test.append([name] + [_spread([run.tests['test'].metrics['forecast/mse'] * units(ending)
                                       for run in runs[f'{key}_{ending}']]) for ending, _ in ours])
    first = next(iter(MODELS))
    for name in runs[f'{first}_{short}'][0].tests['test'].baselines:
        test.append([name] + [_simple(runs[f'{first}_{ending}'][0], name, units(ending))
                              for ending, _ in ours])
    for name, value in (('test windows', 'windows'), ('of them copies', 'copies')):
        test.append([name] + [f'{getattr(facts[ending.removesuffix("_warm")], value):,}'
                              for ending, _ in ours])
    header = ['', *(title for _, title in ours)]
    return Study(
        'Study C: a generated series of 1,000 and of 3,000 points, 10 epochs',
        [StudyTable('Training loss of the last epoch', [
            '', f'{short:,}\nreported', header[1], f'{long:,}\nreported', *header[2:]], final),
         StudyTable('Training loss of the first epoch', header, begin),
         StudyTable('Mean squared error on the test part', header, test)],
        [_C_UNSOUND, 'All figures are in units in which the training rows span 0 to 1. The report '
         'does not say how it scaled; these units are the usual ones.',
         '"warm start": begins with the weights that the same network ended with on 1,000 points, '
         'as reported.', _seeds(runs)])


def _below_noise(runs: Mapping[str, Sequence[StoredRun]]) -> str:
    """Which networks and simple methods err less than nine tenths of what the noise alone costs."""
    found: dict[str, list[str]] = {'appended': [], 'fresh': []}
    for length in LENGTHS:
        for how in _hows(length)[1:]:
            members = {name: runs[f'{key}_{_ending(length, how)}'] for key, name in MODELS.items()}
            test = next(iter(members.values()))[0].tests['test']
            errors = {name: statistics.fmean(run.tests['test'].metrics['forecast/mse']
                                             for run in each) for name, each in members.items()}
            errors |= {name: row['forecast/mse'] for name, row in test.baselines.items()}
            bound = 0.9 * test.baselines.get(TRUTH, {}).get('forecast/mse', 0)
            place = found['fresh' if how == 'ours' else how]
            place += [f'{name} at {length:,}' for name, value in errors.items() if value < bound]
    return ' '.join(f'More than a tenth below it on {how} data: {", ".join(names) or "none"}.'
                    for how, names in found.items())


def _hows(length: int) -> tuple[str, ...]:
    return ('reported', 'ours') if LENGTHS[length] == 1 else ('reported', 'appended', 'fresh')


def _ending(length: int, how: str) -> str:
    return f'{length}_appended' if how == 'appended' else str(length)


def _mse(run: StoredRun) -> float:
    return run.tests['test'].metrics['forecast/mse_original']


def _loss(run: StoredRun, place: int) -> float:
    loss = run.record.epochs[place].train_loss
    return math.nan if loss is None else loss


def _simple(run: StoredRun, name: str, factor: float) -> str:
    values = run.tests['test'].baselines.get(name)
    return '' if values is None else _number(values['forecast/mse'] * factor)


def _seeds(runs: Mapping[str, Sequence[StoredRun]]) -> str:
    count = max(len(each) for each in runs.values())
    return 'One seed each.' if count == 1 else \
        f'Mean ± standard deviation over {count} seeds; the rows of simple methods need none.'


def _spread(values: Sequence[float]) -> str:
    mean, deviation = mean_and_deviation(values)
    return _number(mean) if deviation is None else f'{_number(mean)} ± {_number(deviation)}'


def _number(value: float | None) -> str:
    """Three digits; nothing for what is not known.

    >>> _number(0.0), _number(0.00084), _number(5.441), _number(61.9)
    ('0', '0.00084', '5.44', '61.9')
    """
    if value is None:
        return ''
    return '0' if value == 0 else f'{value:.3g}' if abs(value) < 1e3 else f'{value:,.0f}'
