import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from generated import ROOT, write_series, write_series_config

from amlnn.data.series.generate import GeneratedSeries
from amlnn.engine.train import TrainOptions, train
from amlnn.errors import UsageError
from amlnn.formulas.forecast_errors import mse
from amlnn.formulas.quantiles import coverage
from amlnn.models.series import baselines
from amlnn.records import read_run, read_test


def assert_two_lines(errors: str, *words: str) -> None:
    lines = errors.strip().splitlines()
    assert len(lines) == 2, errors
    assert lines[0].startswith('error: ') and lines[1].startswith('hint: ')
    for word in words:
        assert word in errors, errors


@pytest.fixture(scope='module')
def series(tmp_path_factory):
    """400 hours of two columns: 280 training, 40 validation, 80 test rows."""
    return write_series(tmp_path_factory.mktemp('series') / 'series.csv')


@pytest.fixture(scope='module', autouse=True)
def empty_cache(tmp_path_factory):
    """Baselines are kept in the user's cache folder."""
    folder = tmp_path_factory.mktemp('cache')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('amlnn.user_cache.cache_folder', lambda: folder)
        yield


@pytest.fixture
def config(tmp_path, series):
    def write(text: str = '', epochs: int = 2) -> Path:
        return write_series_config(tmp_path / 'small.py', series, text, epochs)
    return write


@pytest.fixture(scope='module')
def trained(tmp_path_factory, series):
    """A config and a finished run of it."""
    folder = tmp_path_factory.mktemp('trained')
    path = write_series_config(folder / 'small.py', series, epochs=3)
    return path, train(TrainOptions(path, work_dir=folder / 'runs'))


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the finished run."""
    return shutil.copytree(trained[1], tmp_path / 'run')


def stored(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


def test_a_run_says_what_was_trained_and_keeps_the_best_forecasts(trained, series):
    record = read_run(trained[1])
    assert record.kind == 'forecasting' and record.status == 'done' and len(record.epochs) == 3
    assert record.samples == {'train': (280 - 24 - 6) // 4 + 1, 'val': 40 - 6 + 1}
    assert record.data_root == str(series) and record.data_manifest_hash and not record.classes
    assert record.monitor == 'forecast/mse' and record.monitor_rule == 'less'
    assert 'mmpretrain' not in record.versions
    assert not (trained[1] / 'components.npz').exists()  # it was read from a file
    arrays = stored(trained[1] / 'predictions_val.npz')
    assert arrays['target'].shape == arrays['forecast'].shape == (35, 6, 2)
    assert arrays['id'][0] == '2020-01-12T16:00:00'  # row 280
    best = record.epochs[record.best_epoch - 1]
    assert mse(arrays['target'], arrays['forecast']) == pytest.approx(best.metrics['forecast/mse'])
    assert best.val_loss == pytest.approx(best.metrics['forecast/mse'], rel=1e-5)


def test_a_checkpoint_knows_columns_scale_and_intervals(trained, series):
    checkpoint = torch.load(trained[1] / 'best.pth', weights_only=True)
    info = checkpoint['meta']['dataset_meta']
    values = np.loadtxt(series, delimiter=',', skiprows=1, usecols=(1, 2))[:280]
    assert info['columns'] == ['c0', 'c1'] and (info['look_back'], info['horizon']) == (24, 6)
    assert info['season'] == 24 and info['step_seconds'] == 3600
    np.testing.assert_allclose(info['scaler']['mean'], values.mean(0))
    np.testing.assert_allclose(info['scaler']['deviation'], values.std(0))
    arrays = stored(trained[1] / 'predictions_val.npz')
    for each in checkpoint['intervals']:
        margin = each['margin'].numpy()
        held = coverage(arrays['target'], arrays['forecast'] - margin, arrays['forecast'] + margin)
        assert each['level'] <= held < each['level'] + 3 / 35
    assert [each['level'] for each in checkpoint['intervals']] == [0.8, 0.95]


def test_a_resumed_run_repeats_the_whole_one_to_the_bit(trained, tmp_path, monkeypatch):
    def stop(record, path):
        if record.status == 'running' and len(record.epochs) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr('amlnn.engine.run.recorder._SECONDS_BETWEEN_DRAWINGS', -1.0)
    with pytest.raises(KeyboardInterrupt):
        train(TrainOptions(trained[0], work_dir=tmp_path / 'cut'), draw=stop)
    folder = train(TrainOptions(trained[0], work_dir=tmp_path / 'cut', resume=''))
    mine, whole = (torch.load(each / 'checkpoints/epoch_0003.pth', weights_only=True)
                   for each in (folder, trained[1]))
    assert all(torch.equal(value, mine['state_dict'][name])
               for name, value in whole['state_dict'].items())
    records = [read_run(each).epochs for each in (folder, trained[1])]
    assert [(epoch.train_loss, epoch.metrics) for epoch in records[0]] == \
        [(epoch.train_loss, epoch.metrics) for epoch in records[1]]
    assert (folder / 'predictions_val.npz').is_file()


def test_training_stops_early_where_nothing_gets_better(config):
    stop = "custom_hooks = [dict(type='RunEarlyStoppingHook', monitor='forecast/mse', patience=2)]"
    folder = train(TrainOptions(config(f'{stop}\noptim_wrapper = dict(optimizer=dict(lr=0.0))',
                                       epochs=9)))
    record = read_run(folder)
    assert record.stopped_early and len(record.epochs) == 3


def test_a_loss_that_is_not_finite_ends_the_run(config, run_tool):
    status, _, errors = run_tool(
        'train', config('optim_wrapper = dict(optimizer=dict(lr=1e30))', epochs=5))
    assert status == 1
    assert_two_lines(errors, 'loss', 'lr')


def test_a_dry_run_leaves_nothing(config, run_tool):
    status, output, errors = run_tool('train', config(), '--dry-run')
    assert status == 0, errors
    assert 'windows' in output and 'images' not in output and not Path('work_dirs').exists()


def test_another_run_gives_its_weights(trained, config, run_tool):
    text = 'optim_wrapper = dict(optimizer=dict(lr=0.0))'
    status, _, errors = run_tool('train', config(text, epochs=1), '--pretrained',
                                 trained[1] / 'best.pth')
    assert status == 0, errors
    record = read_run('work_dirs/small/latest')
    assert record.epochs[0].metrics['forecast/mse'] == \
        pytest.approx(read_run(trained[1]).best_value)


@pytest.mark.parametrize(('options', 'words'), [
    (['train_dataloader.dataset.horizon=41'], ['validation', '40', '41']),
    (['train_dataloader.dataset.look_back=300'], ['training', '280', '300']),
    (['val_dataloader.dataset.horizon=5'], ['val', 'horizon', '5', '6']),
    (['train_dataloader.dataset.source.path=nowhere.csv'], ['nowhere.csv']),
    (['model.horizon=7'], ['model.horizon', '7', '6']),
    (['model.frozen_stages=1'], ['frozen_stages']),
    (['test_dataloader.drop_last=True'], ['drop_last']),
    (['train_dataloader.num_workers=2'], ['num_workers']),
    (['model.encoder.hiden_size=3'], ['hiden_size', 'hidden_size']),
    (['model.encoder.type=GUR'], ['GUR', 'GRU']),
    (['train_dataloader.dataset.source.date_colum=date'], ['date_colum', 'date_column']),
    (['val_evaluator.items=(mse,rmse)'], ['rmse']),
    (['default_hooks.checkpoint.save_best=forecast/mes'], ['forecast/mes', 'forecast/mse']),
    (['model.normalization=frist'], ['frist', 'last'])])
def test_a_config_mistake_is_two_lines_and_trains_nothing(config, run_tool, options, words):
    # A dry run looks at the test part too; a training does not need it.
    more = ['--dry-run'] if 'test_dataloader' in options[0] else []
    status, _, errors = run_tool('train', config(), '--cfg-options', *options, *more)
    assert status == 2, errors
    assert_two_lines(errors, *words)
    assert not list(Path().glob('work_dirs/*/*/run.json'))


@pytest.mark.parametrize(('edit', 'words'), [
    (lambda rows: [*rows[:50], rows[51], rows[50], *rows[52:]], [':52', 'date']),
    (lambda rows: [*rows[:50], rows[49], *rows[50:]], [':51', 'date']),
    (lambda rows: [*rows[:50], rows[50].rsplit(',', 1)[0] + ',many', *rows[51:]],
     [':51', 'c1', 'many']),
    (lambda rows: [*rows[:50], rows[50].rsplit(',', 1)[0] + ',', *rows[51:]],
     [':51', 'c1', 'missing']),
    (lambda rows: [rows[0], *(row.rsplit(',', 1)[0] + ',5' for row in rows[1:])],
     ['c1', 'deviation is 0'])],
    ids=['unsorted', 'twice', 'text', 'empty', 'constant'])
def test_a_mistake_in_the_file_is_two_lines_with_its_place(config, run_tool, series, tmp_path,
                                                           edit, words):
    wrong = tmp_path / 'wrong.csv'
    wrong.write_text('\n'.join(edit(series.read_text().splitlines())) + '\n')
    status, _, errors = run_tool('train', config(), '--cfg-options',
                                 f'train_dataloader.dataset.source.path={wrong}')
    assert status == 2, errors
    assert_two_lines(errors, *words)
    assert not list(Path().glob('work_dirs/*/*/run.json'))


@pytest.mark.parametrize('tool', ['test', 'predict'])
@pytest.mark.parametrize(('key', 'value'), [('look_back', 25), ('horizon', 7)])
def test_a_checkpoint_of_other_windows_is_two_lines(config, run_tool, run, series, tool, key,
                                                    value):
    more = [series] if tool == 'predict' else []
    status, _, errors = run_tool(tool, config(), run / 'best.pth', *more, '--cfg-options',
                                 f'train_dataloader.dataset.{key}={value}')
    assert status == 2
    assert_two_lines(errors, 'best.pth', key, str(value))


@pytest.mark.parametrize('tool', ['test', 'predict'])
def test_a_checkpoint_of_other_columns_is_two_lines(config, run_tool, run, tmp_path, tool):
    other = write_series(tmp_path / 'other.csv', names=['c0', 'load'])
    more = [other] if tool == 'predict' else ['--cfg-options',
                                              f'train_dataloader.dataset.source.path={other}']
    status, _, errors = run_tool(tool, config(), run / 'best.pth', *more)
    assert status == 2
    assert_two_lines(errors, 'best.pth', 'c1', 'load')


def test_a_checkpoint_of_a_classifier_is_two_lines(config, run_tool, tmp_path):
    path = tmp_path / 'other.pth'
    torch.save({'state_dict': {}, 'meta': {'dataset_meta': {'classes': ['a']}}}, path)
    status, _, errors = run_tool('test', config(), path)
    assert status == 2
    assert_two_lines(errors, 'other.pth', 'forecaster')


def test_a_training_can_report_every_error(config, tmp_path):
    run = train(TrainOptions(config(), work_dir=tmp_path / 'runs', cfg_options=(
        'val_evaluator.items=[mse,mase,smape]', 'train_cfg.max_epochs=1')))
    metrics = read_run(run).epochs[0].metrics
    assert list(metrics) == ['forecast/mse', 'forecast/mase', 'forecast/smape']
    assert metrics['forecast/mase'] > 0 and 0 < metrics['forecast/smape'] < 200


def test_testing_counts_every_window_and_names_the_baselines(config, run_tool, run):
    status, output, errors = run_tool('test', config(), run / 'best.pth')
    assert status == 0, errors
    record = read_test(run / 'test_test.json')
    assert record.samples == 80 - 6 + 1 and '75 windows' in output
    arrays = stored(run / 'predictions_test.npz')
    assert record.metrics['forecast/mse'] == pytest.approx(mse(arrays['target'],
                                                               arrays['forecast']))
    assert record.metrics['forecast/mae'] == pytest.approx(
        np.abs(arrays['target'] - arrays['forecast']).mean())
    assert 0 <= record.metrics['interval/coverage_80'] <= record.metrics['interval/coverage_95']
    assert list(record.baselines) == list(baselines.BASELINES) and record.repeated_windows == 0
    for name in record.baselines:
        assert name in output


def test_repeat_last_and_train_mean_are_what_hand_arithmetic_says(config, run_tool, run, series):
    run_tool('test', config(), run / 'best.pth')
    values = np.loadtxt(series, delimiter=',', skiprows=1, usecols=(1, 2))
    values = (values - values[:280].mean(0)) / values[:280].std(0)
    targets = np.stack([values[row:row + 6] for row in range(320, 395)])
    last = np.stack([values[row - 1:row] for row in range(320, 395)])
    rows = read_test(run / 'test_test.json').baselines
    assert rows['train mean']['forecast/mse'] == pytest.approx(np.square(targets).mean(), rel=1e-5)
    assert rows['repeat last']['forecast/mse'] == \
        pytest.approx(np.square(targets - last).mean(), rel=1e-5)
    assert rows['ridge']['windows'] == 75
    # The columns differ in scale, so no factor turns one unit into the other.
    raw = np.loadtxt(series, delimiter=',', skiprows=1, usecols=(1, 2))
    error = np.stack([raw[row:row + 6] - raw[row - 1] for row in range(320, 395)])
    assert rows['repeat last']['forecast/mse_original'] == \
        pytest.approx(np.square(error).mean(), rel=1e-5)
    assert rows['repeat last']['forecast/mae_original'] == \
        pytest.approx(np.abs(error).mean(), rel=1e-5)
    assert all(row['forecast/mse_original'] > 0 for row in rows.values())


def test_a_second_test_of_the_same_data_fits_no_baseline_again(config, run_tool, run,
                                                               monkeypatch):
    run_tool('test', config(), run / 'best.pth')
    first = read_test(run / 'test_test.json').baselines

    def fit(*args, **kwargs):
        raise AssertionError('fitted again')

    monkeypatch.setattr(baselines.Baseline, 'fit', fit)
    status, _, errors = run_tool('test', config(), run / 'best.pth')
    assert status == 0, errors
    assert read_test(run / 'test_test.json').baselines == first


def test_the_checkpoint_s_scale_counts_for_other_data(config, run_tool, run, series, tmp_path):
    lines = series.read_text().splitlines()
    rows = [line.split(',') for line in lines[1:]]
    larger = tmp_path / 'larger.csv'
    larger.write_text('\n'.join([lines[0], *(f'{time},{10 * float(a)},{b}' for time, a, b in rows)])
                      + '\n')
    status, _, errors = run_tool('test', config(), run / 'best.pth', '--cfg-options',
                                 f'train_dataloader.dataset.source.path={larger}')
    assert status == 0, errors
    info = torch.load(run / 'best.pth', weights_only=True)['meta']['dataset_meta']
    arrays = stored(run / 'predictions_test.npz')
    assert arrays['deviation'].tolist() == info['scaler']['deviation']
    values = np.array([[10 * float(a), float(b)] for _, a, b in rows])[320:326]
    np.testing.assert_allclose(arrays['target'][0] * arrays['deviation'] + arrays['mean'], values,
                               rtol=1e-4, atol=1e-4)


def test_predict_continues_the_file_with_times_and_intervals(trained, run_tool, run, series):
    checkpoint = torch.load(run / 'best.pth', weights_only=True)
    del checkpoint['meta']['dataset_meta']['trained_until']  # then its own margins count
    torch.save(checkpoint, run / 'best.pth')
    status, _, errors = run_tool('predict', trained[0], run / 'best.pth', series, '--out',
                                 'out/forecast.csv')
    assert status == 0, errors
    text = Path('out/forecast.csv').read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert [row['step'] for row in rows] == ['1', '2', '3', '4', '5', '6']
    assert rows[0]['time'] == '2020-01-17 16:00:00' and rows[5]['time'] == '2020-01-17 21:00:00'
    point, low, high, wider = (np.array([[float(row[f'{name}{ending}']) for name in ('c0', 'c1')]
                                         for row in rows])
                               for ending in ('', '_low_80', '_high_80', '_high_95'))
    deviation = np.array(checkpoint['meta']['dataset_meta']['scaler']['deviation'])
    margin = checkpoint['intervals'][0]['margin'].numpy() * deviation
    np.testing.assert_allclose(high - point, margin, rtol=1e-3)
    np.testing.assert_allclose(point - low, margin, rtol=1e-3)
    assert (wider >= high).all()
    shown = run_tool('predict', trained[0], run / 'best.pth', series)[1]
    assert shown == text


def test_predict_says_of_the_end_of_the_test_part_what_testing_said(trained, config, run_tool, run,
                                                                    series, tmp_path):
    run_tool('test', config(), run / 'best.pth')
    arrays = stored(run / 'predictions_test.npz')
    known = tmp_path / 'known.csv'
    known.write_text('\n'.join(series.read_text().splitlines()[:1 + 394]) + '\n')
    output = run_tool('predict', trained[0], run / 'best.pth', known)[1]
    rows = list(csv.DictReader(output.splitlines()))
    found = np.array([[float(row[name]) for name in ('c0', 'c1')] for row in rows])
    np.testing.assert_allclose(
        found, arrays['forecast'][-1] * arrays['deviation'] + arrays['mean'], rtol=1e-4, atol=1e-4)


def test_predict_wants_one_file_that_is_long_enough(trained, run_tool, run, series, tmp_path):
    status, _, errors = run_tool('predict', trained[0], run / 'best.pth', series, series)
    assert status == 2
    assert_two_lines(errors, 'one file')
    short = tmp_path / 'short.csv'
    short.write_text('\n'.join(series.read_text().splitlines()[:21]) + '\n')
    status, _, errors = run_tool('predict', trained[0], run / 'best.pth', short)
    assert status == 2
    assert_two_lines(errors, '20 rows', '24')


def test_windows_that_come_again_are_said(config, run_tool):
    text = '''
        train_dataloader = dict(dataset=dict(source=dict(
            _delete_=True, type='GeneratedSeries', preset='study_b', append=4)))
        '''
    status, output, errors = run_tool('train', config(text, epochs=1))
    assert status == 0, errors
    assert 'warning:' in output and 'occur in the training part too' in output
    run = Path('work_dirs/small/latest')
    parts = stored(run / 'components.npz')
    truth = sum(parts[name] for name in ('trend', 'seasons', 'shifts'))
    whole = GeneratedSeries(preset='study_b', append=4).read()
    np.testing.assert_allclose(truth, whole.truth, atol=1e-4)
    np.testing.assert_allclose(truth + parts['noise'] + parts['outliers'], whole.values, atol=1e-4)
    assert np.array_equal(parts['times'], whole.times) and not parts['gaps'].any()
    assert parts['borders'].tolist() == [1022, 1168, 1460]
    assert run_tool('test', config(text, epochs=1), run / 'best.pth')[0] == 0
    record = read_test(run / 'test_test.json')
    assert record.repeated_windows > 0 and 'noise-free truth' in record.baselines


def test_a_report_of_forecasts_shows_curves_and_errors(config, run_tool, run):
    run_tool('test', config(), run / 'best.pth')
    status, _, errors = run_tool('report', run, '--out', 'report')
    assert status == 0, errors
    page = Path('report/index.html').read_text()
    assert 'scaled MSE' in page and list(Path('report').glob('*_curves.png'))


def test_tta_is_for_images(config, run_tool, run):
    status, _, errors = run_tool('test', config(), run / 'best.pth', '--tta')
    assert status == 2
    assert_two_lines(errors, '--tta')


def test_resuming_with_another_horizon_is_refused(trained, tmp_path):
    folder = shutil.copytree(trained[1], tmp_path / 'run')
    with pytest.raises(UsageError, match='horizon'):
        train(TrainOptions(trained[0], resume=str(folder),
                           cfg_options=['train_dataloader.dataset.horizon=5']))


def test_scalars_are_written_every_few_iterations_alone(trained):
    lines = [json.loads(line) for line in (trained[1] / 'scalars.jsonl').read_text().splitlines()]
    assert [line['iteration'] for line in lines] == [4, 8, 12]  # the last of each epoch


@pytest.mark.slow
def test_a_forecast_brings_in_no_vision_library(config):
    code = (f'import sys; sys.path.insert(0, {str(ROOT)!r})\n'
            'from amlnn.command import run_command\n'
            'from amlnn.commands.train import main, parser\n'
            f'assert run_command(parser(), main, [{str(config())!r}, "--dry-run"]) == 0\n'
            # MMEngine's runner imports mmcv itself, to see whether it can synchronise batch norms.
            'assert not {"mmpretrain", "torchvision", "timm"} & sys.modules.keys()')
    subprocess.run([sys.executable, '-c', code], check=True)
