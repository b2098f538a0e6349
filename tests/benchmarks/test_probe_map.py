"""A hand-made map beside hand-made trainings: what was predicted, and what the choice cost."""

import json
import sys

import pytest
from generated import ROOT, load_script

from amlnn.records import EpochRecord, RunRecord, TestRecord, write_record

BENCHMARK = load_script(ROOT / 'benchmarks/probe_map.py')


@pytest.fixture
def write_map(tmp_path):
    """Writes a probe.json: of each config its places as (frozen_stages, accuracy, seconds)."""

    def write(chosen, judged_on='val', **configs):
        path = tmp_path / 'probe.json'
        path.write_text(json.dumps([{
            'name': name, 'judged_on': judged_on, 'cells': [
                {'frozen_stages': frozen, 'accuracy': {'value': accuracy}, 'seconds': seconds,
                 'chosen': (name, frozen) == chosen} for frozen, accuracy, seconds in cells]}
            for name, cells in configs.items()]))
        return path

    return write


@pytest.fixture
def write_run(tmp_path):
    """Writes a run: the best of its two epochs has the accuracy."""

    def write(folder, config, frozen, accuracy, seconds, test=None):
        epochs = [EpochRecord(number, 10 * number, 1.0, 1.0, {'accuracy/top1': top}, 0.1, 1.0, 1.0,
                              0.0, 1.0) for number, top in ((1, accuracy), (2, accuracy - 5))]
        (tmp_path / folder).mkdir()
        write_record(tmp_path / folder / 'run.json', RunRecord(
            config, f'{config}.py', ['train'], 'hash', '2026-01-01T00:00:00Z', 0, status='done',
            frozen_stages=frozen, epochs=epochs, monitor='accuracy/top1', monitor_rule='greater',
            best_epoch=1, best_value=accuracy, total_seconds=seconds))
        if test is not None:
            write_record(tmp_path / folder / 'test_test.json', TestRecord(
                'best.pth', 1, 'test', 10, 1.0, {'accuracy/top1': test}, 1.0, 1.0, 'cpu', 'fp32',
                None, None, {}, '2026-01-01T00:00:00Z'))
        return str(tmp_path / folder)

    return write


def printed(capsys, monkeypatch, *words) -> list[str]:
    monkeypatch.setattr(sys, 'argv', ['probe_map.py', *map(str, words)])
    BENCHMARK.main()
    return capsys.readouterr().out.splitlines()


PLACES = [(-1, 0.80, 400.0), (2, 0.70, 100.0), ('all', 0.75, 20.0), (3, 0.9, 50.0)]


def test_the_table_the_rank_correlation_and_the_regret_are_those_by_hand(
        capsys, monkeypatch, write_map, write_run):
    runs = [write_run('a', 'net', None, 90.0, 500.0), write_run('b', 'my_best', 2, 85.0, 90.0),
            write_run('c', 'net', 'all', 80.0, 22.0), write_run('d', 'net', 'all', 84.0, 18.0)]
    lines = printed(capsys, monkeypatch, write_map(('net', 'all'), net=PLACES), *runs)
    rows = [line.split() for line in lines[1:4]]
    assert rows[0] == ['net', '-1', '80.00%', '90.00%', '1', '400', '500', '1.25']
    assert rows[1] == ['net', '2', '70.00%', '85.00%', '1', '100', '90', '0.90']
    assert rows[2] == ['net', 'all', '75.00%', '82.00%', '2', '20', '20', '1.00', 'chosen']
    # Ranks 3, 1, 2 to expect and 3, 2, 1 trained: 1 - 6 (0 + 1 + 1) / (3 (9 - 1)).
    assert lines[4] == 'rank correlation (Spearman): 0.500, over 3 places'
    assert lines[5] == 'regret: 8.00 points' and len(lines) == 6


def test_of_several_configs_each_run_goes_to_its_own(capsys, monkeypatch, write_map, write_run):
    path = write_map(('one', 2), one=PLACES, two=[(2, 0.6, None)])
    lines = printed(capsys, monkeypatch, path, write_run('a', 'one', 2, 70.0, 10.0),
                    'two=' + write_run('b', 'renamed', 2, 50.0, 30.0))
    assert lines[2].split() == ['two', '2', '60.00%', '50.00%', '1', '30']
    assert lines[3].startswith('rank correlation (Spearman): 1.000, over 2')
    assert lines[4] == 'regret: 0.00 points'


def test_a_run_of_no_place_is_said_with_what_the_map_has(capsys, monkeypatch, write_map, write_run):
    path = write_map(('one', 2), one=PLACES, two=PLACES)
    with pytest.raises(SystemExit, match='no `renamed` with frozen_stages=2, but one, two'):
        printed(capsys, monkeypatch, path, write_run('a', 'renamed', 2, 70.0, 10.0))
    with pytest.raises(SystemExit, match='no `one` with frozen_stages=7'):
        printed(capsys, monkeypatch, path, write_run('b', 'one', 7, 70.0, 10.0))


def test_where_the_test_part_judged_the_run_s_test_does(capsys, monkeypatch, write_map, write_run):
    path = write_map(('net', 2), 'test', net=PLACES)
    lines = printed(capsys, monkeypatch, path, write_run('a', 'net', 2, 70.0, 10.0, test=66.0))
    assert lines[1].split()[3] == '66.00%' and lines[2].startswith('rank correlation (Spearman): '
                                                                   'none')
    with pytest.raises(SystemExit, match=r'test_test\.json'):
        printed(capsys, monkeypatch, path, write_run('b', 'net', 'all', 70.0, 10.0))


def test_a_choice_that_was_not_trained_leaves_the_regret_open(capsys, monkeypatch, write_map,
                                                              write_run):
    lines = printed(capsys, monkeypatch, write_map(('net', 'all'), net=PLACES),
                    write_run('a', 'net', 2, 70.0, 10.0))
    assert lines[-1] == 'regret: not known: the chosen place was not trained'
