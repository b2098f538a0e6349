"""The benchmark of probe and doctor times what both do, and says what a share is of."""

import re

import pytest
from generated import ROOT, load_script

BENCHMARK = load_script(ROOT / 'benchmarks/probe.py')
STEPS = ['features', 'table', '  nearest neighbours', '  logistic regression', '  ridge',
         '  few images', '  what more would bring', '  stage by stage', '  stages together', 'map',
         'doctor: files', 'doctor: features', 'doctor: labels']


@pytest.fixture
def lines(tmp_path, monkeypatch, write_config, data_set):
    """Runs it: the lines."""
    monkeypatch.setenv('AMLNN_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'user'))
    monkeypatch.setattr(BENCHMARK, '_SECONDS', 0.05)
    return lambda: list(BENCHMARK.report(str(write_config()), data_set, 'cpu'))


def seconds(line: str) -> float:
    return float(line[26:].split()[0])


def test_every_step_has_its_seconds_and_its_share_of_the_pass(lines):
    head, rates, _, *rows = lines()
    assert head.startswith('small.py: 70 images of 5 classes') and 'as it went' in rates
    assert [row[:26].rstrip() for row in rows] == STEPS
    whole, table = seconds(rows[0]), seconds(rows[1])
    assert whole > 0
    for row in rows:
        share = float(re.search(r'([\d.]+) %', row)[1])
        assert share == pytest.approx(100 * seconds(row) / whole, abs=0.1 + 2 / whole)
    assert sum(map(seconds, rows[2:9])) <= table + 0.05
    assert 'read from the cache' in rows[11]
    _, rates, _, first, *_ = lines()  # now all are read
    assert '70 were read from the cache' in rates and seconds(first) > 0


def test_a_pass_is_reckoned_of_reading_and_of_the_trunk():
    pace = BENCHMARK.Pace(reading=0.01, trunk=0.04)
    assert pace.of_pass(100) == pytest.approx(5.0)
    assert pace.images_a_second == pytest.approx(25.0)
