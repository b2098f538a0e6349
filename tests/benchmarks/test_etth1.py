"""The search on ETTh1: what it trains, what it tests, and what it never does twice."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from generated import ROOT, load_script

from amlnn.config.load import load_config


@pytest.fixture(scope='module')
def benchmark():
    return load_script(ROOT / 'benchmarks/etth1.py')


@pytest.fixture
def ledger(benchmark, tmp_path, monkeypatch):
    """A ledger whose trainings and tests only count."""
    calls = {'train': [], 'test': []}

    def train(options, console):
        calls['train'].append(options)
        folder = options.work_dir / 'run'
        folder.mkdir(parents=True)
        (folder / 'best.pth').touch()
        return folder

    def read_run(folder):
        # Another error for each seed and width, so that something can be chosen.
        error = 0.5 + 0.01 * len(calls['train'])
        epoch = SimpleNamespace(epoch=1, metrics={'forecast/mse': error, 'forecast/mae': error})
        return SimpleNamespace(best_epoch=1, epochs=[epoch], total_parameters=10, precision='fp32',
                               device='cpu', threads=1)

    def test(options, console):
        calls['test'].append(options)
        return SimpleNamespace(metrics={'forecast/mse': 0.4, 'forecast/mae': 0.4}, samples=2785,
                               repeated_windows=0)

    for name, function in dict(train=train, read_run=read_run, test=test).items():
        monkeypatch.setattr(benchmark, name, function)
    return SimpleNamespace(calls=calls, make=lambda **given: benchmark.Ledger(
        tmp_path, Path('data/ETTh1.csv'), **given))


def test_every_recipe_of_the_search_is_a_config_and_none_is_listed_twice(benchmark):
    found = []
    for horizon, recipes in benchmark.SEARCH.items():
        for changes in recipes:
            trial = benchmark.recipe(horizon, **changes)
            config = load_config(ROOT / f'configs/series/{trial.config}.py', trial.options).config
            assert config['train_dataloader']['dataset']['horizon'] == horizon
            found.append(trial)
    assert len(found) >= 4 and len(set(found)) == len(found)


def test_the_config_of_each_horizon_is_what_the_search_chose(benchmark):
    # The tables in docs/etth1.md name the recipe; the config is how a user trains it.
    text = (ROOT / 'docs/etth1.md').read_text(encoding='utf-8')
    chosen = text.split('## What was chosen')[1].split('##')[0]
    for horizon, recipes in benchmark.SEARCH.items():
        row = next(line for line in chosen.splitlines() if line.startswith(f'| {horizon} |'))
        words = row.split('|')[2].strip()
        changes = next(each for each in recipes if benchmark.describe(each) == words)
        trial = benchmark.recipe(horizon, **changes)
        searched = load_config(ROOT / f'configs/series/{trial.config}.py', trial.options).config
        config = load_config(ROOT / f'configs/series/etth1_seggru_{horizon}.py').config
        # The search says bf16, so that a trial is the same on every machine.
        assert config.pop('execution') == dict(precision='auto') and searched.pop('execution')
        assert config == searched


def test_a_plain_config_subtracts_nothing_and_is_its_sibling_in_all_else(benchmark):
    for horizon in benchmark.HORIZONS:
        sibling, plain = (load_config(ROOT / f'configs/series/etth1_seggru_{name}.py').config
                          for name in (horizon, f'{horizon}_plain'))
        assert sibling['model'].pop('normalization') == ('last' if horizon < 300 else 'season')
        assert plain['model'].pop('normalization') == 'none'
        assert plain == sibling


def test_a_trial_is_trained_once_and_tested_once_even_in_another_session(benchmark, ledger):
    trial = benchmark.recipe(96)
    first = ledger.make()
    assert first.trained(trial)['val_mse'] == 0.51
    assert first.tested(trial)['test_mse'] == 0.4
    again = ledger.make()
    assert again.tested(trial) == first.tested(trial)
    assert len(ledger.calls['train']) == len(ledger.calls['test']) == 1
    assert [json.loads(line)['seed'] for line in again.path.read_text().splitlines()] == [0, 0]


def test_other_data_and_another_seed_are_other_trials(benchmark, ledger):
    entries = [ledger.make().trained(benchmark.recipe(96)._replace(seed=seed)) for seed in (0, 1)]
    other = ledger.make()
    other.data = Path('data/ETTh2.csv')
    entries.append(other.trained(benchmark.recipe(96)))
    assert len({entry['key'] for entry in entries}) == 3


def test_only_the_recipe_of_the_least_validation_error_is_tested(benchmark, ledger, monkeypatch):
    monkeypatch.setattr(benchmark, 'SEARCH', {96: [dict(hidden=64), dict(hidden=32)]})
    book = ledger.make()
    searched = benchmark.search(book, (96, ))
    assert not ledger.calls['test']
    tested = benchmark.test_chosen(book, searched, seeds=3)
    assert [entry['seed'] for entry in tested[96]] == [0, 1, 2]
    assert all('model.encoder.hidden_size=64' in entry['options'] for entry in tested[96])
    assert len(ledger.calls['test']) == 3 and len(ledger.calls['train']) == 4


def test_no_training_begins_after_the_minutes_are_over(benchmark, ledger):
    with pytest.raises(benchmark.TimeOver):
        ledger.make(minutes=-1).trained(benchmark.recipe(96))
    assert not ledger.calls['train']


def test_the_tables_replace_what_stood_between_the_markers(benchmark, tmp_path):
    page = tmp_path / 'page.md'
    page.write_text('before\n<!-- etth1: begin (how) -->\nold\n<!-- etth1: end -->\nafter\n')
    benchmark.write_docs(page, 'new')
    assert page.read_text() == ('before\n<!-- etth1: begin (how) -->\n\nnew\n\n'
                                '<!-- etth1: end -->\nafter\n')


def test_the_spread_is_the_sample_deviation(benchmark):
    entries = [dict(error=value) for value in (0.3, 0.4, 0.5)]
    assert benchmark.spread(entries, 'error') == '0.4000 ± 0.1000'
