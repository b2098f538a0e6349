"""Simple methods as models: fitted in one epoch, tested, resumed and asked like any network."""

import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from generated import ROOT, write_series

from amlnn.config.load import load_config
from amlnn.engine.options import PredictOptions
from amlnn.engine.predict import predict
from amlnn.engine.series.quick_forecast import quick_forecast
from amlnn.engine.train import TrainOptions, train
from amlnn.errors import AmlnnError
from amlnn.models.series.baselines import BASELINES

KINDS = {name: kind.__name__ for name, kind in BASELINES.items()}
FILES = {'TrainMean': 'own_train_mean', 'RepeatLast': 'own_repeat_last',
         'WindowMean': 'own_window_mean', 'SeasonalNaive': 'own_seasonal_naive',
         'SameHourMean': 'own_same_hour_mean', 'Ridge': 'own_ridge'}


def write_config(path: Path, data: Path, kind: str, more: str = '') -> Path:
    path.write_text(
        f"_base_ = {str(ROOT / f'configs/series/{FILES[kind]}.py')!r}\n"
        f'train_dataloader = dict(dataset=dict(source=dict(path={str(data)!r})))\n{more}\n')
    return path


def write_shops(path: Path) -> Path:
    lines, rng = ['date,shop,sales,holiday'], np.random.default_rng(0)
    for place in range(3):
        for row in range(200 + 20 * place):
            free = int(rng.random() < 0.1)
            empty = place == 1 and row % 17 == 0
            value = 100 * (place + 1) + 10 * np.sin(row % 7) + 40 * free + rng.normal()
            lines.append(f'{date(2024, 1, 1) + timedelta(days=row)},s{place},'
                         f'{"" if empty else f"{value:.3f}"},{free}')
        for row in range(200 + 20 * place, 210 + 20 * place):
            lines.append(f'{date(2024, 1, 1) + timedelta(days=row)},s{place},,{row % 2}')
    path.write_text('\n'.join(lines) + '\n')
    return path


SHOPS = '''train_dataloader['dataset'].update(
    look_back=14, horizon=7, known=['holiday'], season=7)'''
ALONE = "train_dataloader['dataset'].update(look_back=48, horizon=12, season=24)"


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data')
    return {'alone': write_series(folder / 'series.csv'),
            'shops': write_shops(folder / 'shops.csv')}


@pytest.fixture(scope='module')
def fitted(data, tmp_path_factory):
    """The config and the run of a method on one series or on a panel with a known column."""
    made = {}

    def make(kind: str, name: str):
        if (kind, name) not in made:
            folder = tmp_path_factory.mktemp('fitted')
            config = write_config(folder / 'own.py', data[name], kind,
                                  SHOPS if name == 'shops' else ALONE)
            made[kind, name] = config, train(TrainOptions(config, work_dir=folder / 'runs'))
        return made[kind, name]
    return make


@pytest.mark.parametrize('name', ['alone', 'shops'])
@pytest.mark.parametrize('kind', FILES)
def test_a_method_as_a_model_has_the_errors_of_its_row_in_the_table(kind, name, fitted, run_tool):
    config, run = fitted(kind, name)
    status, _, errors = run_tool('test', config, run / 'best.pth')
    assert status == 0, errors
    record = json.loads((run / 'test_test.json').read_text())
    row = record['baselines'][next(shown for shown, each in KINDS.items() if each == kind)]
    for metric in ('forecast/mse', 'forecast/mae', 'forecast/mse_original'):
        assert record['metrics'][metric] == pytest.approx(row[metric], rel=1e-5), metric
    held = [metric for metric in row if metric.startswith('interval/')]
    assert {'interval/coverage_80', 'interval/width_95', 'interval/winkler_80',
            'interval/crps'} <= set(held)
    for metric in held:
        assert record['metrics'][metric] == pytest.approx(row[metric], rel=0.02), metric
    assert record['metrics']['interval/coverage_80'] > 0.3


@pytest.mark.parametrize('name', ['alone', 'shops'])
@pytest.mark.parametrize('kind', FILES)
def test_without_torch_the_forecast_is_the_same_to_the_digit(kind, name, fitted, data):
    config, run = fitted(kind, name)
    options = PredictOptions(load_config(config), checkpoint=run / 'best.pth',
                             inputs=[str(data[name])])
    quick = list(quick_forecast(options.config, options))
    assert quick == list(predict(options, lambda path, reason: None))
    assert len(quick) == 1 + (3 * 7 if name == 'shops' else 12)


def test_a_ridge_forecasts_from_the_command_without_importing_torch(fitted, data, tmp_path):
    config, run = fitted('Ridge', 'shops')
    code = ('import sys; sys.argv[0] = "predict"; from amlnn.commands import predict; '
            'status = predict.main(predict.parser().parse_args(sys.argv[1:])); '
            'print(status, "torch" in sys.modules, "matplotlib" in sys.modules)')
    done = subprocess.run(
        [sys.executable, '-c', code, config, run / 'best.pth', data['shops'], '--out',
         tmp_path / 'out.csv'], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == '0 False True', done.stdout + done.stderr
    # The numbers are there before the picture, which takes longer.
    assert done.stdout.splitlines()[:2] == [f'written: {tmp_path / "out.csv"}',
                                            f'written: {tmp_path / "out.png"}']
    assert len((tmp_path / 'out.csv').read_text().splitlines()) == 22


def test_series_that_training_had_not_are_tested_and_forecast_too(fitted, tmp_path, run_tool):
    config, run = fitted('TrainMean', 'shops')
    text = write_shops(tmp_path / 'new.csv').read_text()
    (tmp_path / 'new.csv').write_text(text.replace(',s1,', ',t1,').replace(',s2,', ',t2,'))
    other = write_config(tmp_path / 'own.py', tmp_path / 'new.csv', 'TrainMean', SHOPS)
    status, _, errors = run_tool('test', other, run / 'best.pth')
    assert status == 0, errors
    status, out, errors = run_tool('predict', config, run / 'best.pth', tmp_path / 'new.csv')
    rows = [line.split(',') for line in out.splitlines()[1:]]
    assert [rows[place][0] for place in (0, 7, 14)] == ['s0', 't1', 't2']
    # The mean of its training part where that is known, of the look-back where it is not.
    assert {float(row[3]) // 100 for row in rows[:7]} == {1}
    assert {float(row[3]) // 100 for row in rows[14:]} == {3}


def test_what_is_wrong_with_a_checkpoint_is_said_as_for_a_network(fitted, data, tmp_path):
    config, run = fitted('Ridge', 'alone')
    loaded = load_config(config)
    damaged = tmp_path / 'damaged.pth'
    content = bytearray((run / 'best.pth').read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    other = fitted('SeasonalNaive', 'alone')[1] / 'best.pth'
    for checkpoint, said in ((damaged, 'is damaged'), (other, 'is of another model'),
                             (tmp_path / 'none.pth', 'no checkpoint at')):
        options = PredictOptions(loaded, checkpoint=checkpoint, inputs=[str(data['alone'])])
        assert quick_forecast(loaded, options) is None
        with pytest.raises(AmlnnError, match=said):
            list(predict(options, lambda path, reason: None))


def test_a_longer_look_back_than_that_of_the_checkpoint_is_refused(fitted, data):
    config, run = fitted('Ridge', 'alone')
    loaded = load_config(config, ['train_dataloader.dataset.look_back=72'])
    options = PredictOptions(loaded, checkpoint=run / 'best.pth', inputs=[str(data['alone'])])
    with pytest.raises(AmlnnError, match='was trained with look_back 48, and the config has 72'):
        quick_forecast(loaded, options)


def test_two_fits_are_equal_to_the_bit_and_what_was_learnt_is_not_trained(fitted, data, tmp_path):
    config, run = fitted('Ridge', 'shops')
    again = train(TrainOptions(config, work_dir=tmp_path / 'runs', seed=3))
    one, two = (torch.load(each / 'best.pth', weights_only=True)['state_dict']
                for each in (run, again))
    assert one.keys() == two.keys() >= {'learnt.weights', 'learnt.effect', 'learnt.means'}
    assert all(torch.equal(one[name], two[name]) for name in one)
    record = json.loads((run / 'run.json').read_text())
    assert len(record['epochs']) == 1 and record['epochs'][0]['train_loss'] > 0


@pytest.mark.parametrize(('more', 'said'), [
    ("optim_wrapper = dict(optimizer=dict(type='Adam', lr=0.1))", '`optim_wrapper` is set'),
    ('train_cfg = dict(max_epochs=2)', '`train_cfg.max_epochs` is set'),
    ("param_scheduler = dict(type='ExponentialLR', gamma=0.9)", '`param_scheduler` is set'),
    ("model = dict(method=dict(_delete_=True, type='GRU', hidden_size=3))",
     'is GRU, which is no simple method'),
    ("model = dict(method=dict(_delete_=True, type='SeasonalNaiv'))", 'SeasonalNaive'),
    ("model = dict(method=dict(_delete_=True, type='SeasonalNaive'))\n"
     "train_dataloader['dataset'].update(season=100)", 'needs a season of 100 rows'),
    ("train_dataloader['dataset'].update(look_back=275)", 'window'),
])
def test_what_means_nothing_to_a_fit_or_cannot_be_fitted_is_refused_before_a_run(
        more, said, data, tmp_path, run_tool):
    config = write_config(tmp_path / 'own.py', data['alone'], 'Ridge', f'{ALONE}\n{more}')
    status, _, errors = run_tool('train', config, '--work-dir', tmp_path / 'runs')
    lines = [line for line in errors.splitlines() if line.startswith(('error', 'hint'))]
    assert status == 2 and len(lines) == 2, errors
    assert said in errors
    assert not list((tmp_path / 'runs').glob('2*'))


def test_a_network_without_an_optimizer_is_refused_before_a_run(data, tmp_path, run_tool):
    status, _, errors = run_tool(
        'train', ROOT / 'configs/series/own.py', '--work-dir', tmp_path / 'runs', '--cfg-options',
        'optim_wrapper=None', f'train_dataloader.dataset.source.path={data["alone"]}')
    lines = [line for line in errors.splitlines() if line.startswith(('error', 'hint'))]
    assert status == 2 and len(lines) == 2 and 'has no `optim_wrapper`' in lines[0], errors
    assert not list((tmp_path / 'runs').glob('2*'))
