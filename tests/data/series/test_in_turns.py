"""Series that take turns in a file sorted by time, none of whose times comes twice."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from amlnn.data.series.csv_series import CSVSeries
from amlnn.errors import DataError

DAY = datetime(2024, 1, 1)


def written(path, rows, column='sensor'):
    """Rows of time, name and value, in order of time."""
    path.write_text(f'at,{column},value\n' + ''.join(
        f'{when},{name},{value:.4f}\n' for when, name, value in sorted(rows)))
    return CSVSeries(str(path), date_column='auto', id_column='auto', resample='mean', gaps='mask')


def polled(names, apart, every=600, jitter=0, rounds=60):
    """Each of `names` once in `every` seconds, `apart` seconds after the one before."""
    rng = np.random.default_rng(0)
    return [(DAY + timedelta(seconds=int(round_ * every + place * apart
                                         + rng.integers(0, jitter + 1))), name,
             1000 * place + round_)
            for round_ in range(rounds) for place, name in enumerate(names)]


@pytest.mark.parametrize('jitter', [0, 40])
@pytest.mark.parametrize('names', ['AB', '123', ['p1', 'p2', 'p3', 'p4']])
def test_sensors_that_are_read_one_after_the_other_are_series(tmp_path, names, jitter):
    series = written(tmp_path / 'a.csv', polled(names, 61, jitter=jitter)).read()
    assert series.ids == list(names)
    assert series.id_columns == ['sensor']
    for place in range(len(names)):
        rows = slice(*series.bounds[place:place + 2])
        assert series.values[rows, 0].tolist() == [1000 * place + row for row in range(60)]
    assert series.grid.name == '10 minutes'


def test_numbers_and_modes_of_one_series_are_none(tmp_path):
    rng = np.random.default_rng(0)
    times = [DAY + timedelta(minutes=row, seconds=int(rng.integers(0, 50))) for row in range(400)]
    for name, of_row in (('in blocks', lambda row: row // 40 % 2),
                         ('at random', lambda row: int(rng.integers(0, 3)))):
        series = written(tmp_path / 'a.csv', [
            (when, of_row(row), float(row * row)) for row, when in enumerate(times)], 'mode').read()
        assert (name, series.ids, series.columns) == (name, [], ['mode', 'value'])


def test_days_of_the_week_take_no_turns(tmp_path):
    rng = np.random.default_rng(0)
    times = [DAY + timedelta(days=row, minutes=int(rng.integers(0, 600))) for row in range(200)]
    series = written(tmp_path / 'a.csv', [(when, (3 * when.weekday()) % 7, float(row))
                                          for row, when in enumerate(times)], 'tag').read()
    assert series.ids == []


def test_words_in_turn_at_even_times_are_asked_about(tmp_path):
    source = written(tmp_path / 'a.csv', polled('AB', 300))
    with pytest.raises(DataError, match='`sensor` names 2 things in turn') as caught:
        source.read()
    assert "id_column='sensor'" in caught.value.hint
    asked = CSVSeries(str(tmp_path / 'a.csv'), 'at', id_column='sensor').read()
    assert asked.ids == ['A', 'B']
