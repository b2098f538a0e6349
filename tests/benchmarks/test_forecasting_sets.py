"""The benchmark of forecasters on any files: its rows, and what it says of their differences."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from generated import ROOT, load_script, write_series


@pytest.fixture(scope='module')
def benchmark():
    return load_script(ROOT / 'benchmarks/forecasting_sets.py')


@pytest.fixture
def small(benchmark, monkeypatch, tmp_path):
    """Two recipes that need no time, in the place of those that do; and what runs the command."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(benchmark, 'RECIPES', {
        'ridge 336': ('etth1_ridge', ('train_dataloader.dataset.look_back=48',)),
        'naive': ('own_seasonal_naive', ('train_dataloader.dataset.look_back=48',
                                         'train_dataloader.dataset.known=[]',
                                         'train_dataloader.dataset.calendar=[]'))})

    def run(*words):
        monkeypatch.setattr('sys.argv', ['forecasting_sets.py', *map(str, words)])
        benchmark.main()
    return run


def test_every_row_stands_in_the_table_and_nothing_is_trained_twice(small, tmp_path, capsys):
    files = [write_series(tmp_path / f'{name}.csv', rows=1200, columns=2) for name in ('a', 'b')]
    words = [*files, '--horizons', 96, '--seeds', 2, '--out', 'out', '--cfg-options',
             'test_dataloader.dataset.stride=4']
    small(*words)
    printed = capsys.readouterr().out
    for name in ('ridge 336', 'naive', 'equal parts', 'seasonal naive', 'same-hour mean'):
        assert printed.count(f'\n| {name} |') >= 2, name
    numbers = json.loads((tmp_path / 'out/numbers.json').read_text())
    assert set(numbers) == {'a-96', 'b-96'}
    row = numbers['a-96']['naive']['forecast/mse']
    assert len(row) == 2 and row[0] == pytest.approx(row[1])  # nothing is drawn
    assert row[0] == pytest.approx(numbers['a-96']['seasonal naive']['forecast/mse'][0], rel=1e-4)
    runs = sorted((tmp_path / 'out/a-96').glob('*/run.json'))
    assert len({run.resolve() for run in runs}) >= 6
    times = [run.stat().st_mtime_ns for run in runs]
    small(*words)
    assert [run.stat().st_mtime_ns for run in runs] == times


def test_forecasts_made_elsewhere_are_a_row_with_a_warning(small, tmp_path, capsys):
    file = write_series(tmp_path / 'a.csv', rows=1200)
    words = [file, '--horizons', 96, '--seeds', 1, '--out', 'out']
    small(*words)
    (truth,) = (tmp_path / 'out/a-96').glob('ridge_336-s0/predictions_test.npz')
    target = np.load(truth)['target']
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    np.savez(elsewhere / 'a-96-oracle.npz', forecast=target + 0.5)
    small(*words, '--forecasts', elsewhere)
    printed = capsys.readouterr().out
    assert '| oracle (trained on what nobody here knows) | 0.2500 |' in printed
    np.savez(elsewhere / 'a-96-oracle.npz', forecast=target[1:])
    with pytest.raises(SystemExit, match='hint: '):
        small(*words, '--forecasts', elsewhere)


def test_tables_go_between_the_markers_of_a_page(benchmark, tmp_path):
    page = tmp_path / 'page.md'
    page.write_text('before\n<!-- sets: begin (a command) -->\nold\n<!-- sets: end -->\nafter\n')
    benchmark.write_docs(page, 'new \\1')
    assert page.read_text() == ('before\n<!-- sets: begin (a command) -->\n\nnew \\1\n\n'
                                '<!-- sets: end -->\nafter\n')
    page.write_text('nothing')
    with pytest.raises(SystemExit, match='hint: '):
        benchmark.write_docs(page, 'new')


def test_the_parts_of_known_files_are_those_of_the_literature(benchmark, tmp_path):
    file = tmp_path / 'x.csv'
    for rows, expected in ((17420, '(8640, 11520, 14400)'), (17421, 'None')):
        file.write_text('date,a\n' + '2020-01-01,1\n' * rows)
        assert f'train_dataloader.dataset.borders={expected}' in benchmark.data_options(file, 96)


def test_a_difference_is_tested_window_by_window(benchmark):
    generator = np.random.default_rng(0)
    losses = generator.random(500)
    rows = [benchmark.Row('ridge 336', [{'forecast/mse': 0.5}], losses, 1.0),
            benchmark.Row('better', [{'forecast/mse': 0.4}, {'forecast/mse': 0.42}], losses - 0.1),
            SimpleNamespace(name='other', losses=None, seconds=None, values=lambda metric: [],
                            cell=lambda metric: '')]
    lines = benchmark.table(rows, 96).splitlines()
    assert lines[3].startswith('| better | 0.4100 ± 0.0141 | -0.1000 | -0.1000 to -0.1000 |')
    assert len({line.count('|') for line in lines}) == 1
