"""A forecaster that was exported forecasts as the model does, or is not taken."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from generated import write_series_config
from mmengine.registry import MODELS

from amlnn.data.series.ends import LastWindows
from amlnn.engine.series import exported as exports
from amlnn.engine.series import exporting
from amlnn.engine.series.exported import ExportedForecaster, NotExported, read_exported
from amlnn.engine.series.exporting import exported
from amlnn.engine.series.task import SeriesTask
from amlnn.engine.train import TrainOptions, train
from amlnn.models.series.forecaster import Forecaster
from amlnn.openvino_library import openvino_version

SeriesTask.register()

pytestmark = pytest.mark.skipif(openvino_version() is None, reason='OpenVINO is not installed')

LOOK_BACK, HORIZON = 24, 6

MODELS_OF = {
    'GRU': dict(encoder=dict(type='GRU', hidden_size=8)),
    'LSTM of two layers': dict(encoder=dict(type='LSTM', hidden_size=8, num_layers=2)),
    'both directions': dict(encoder=dict(type='BidirectionalRNN', hidden_size=8)),
    'deep': dict(encoder=dict(type='DeepRNN', hidden_size=8)),
    'all columns together': dict(encoder=dict(type='GRU', hidden_size=8),
                                 channel_independent=False),
    'recursive': dict(encoder=dict(type='GRU', hidden_size=8), decoding='recursive'),
    'segments': dict(encoder=dict(type='SegmentedGRU', hidden_size=8, segment_length=6)),
    'recursive segments': dict(encoder=dict(type='SegmentedGRU', hidden_size=8, segment_length=3),
                               decoding='recursive'),
    'sLSTM': dict(encoder=dict(type='SegmentedSLSTM', hidden_size=8, segment_length=6)),
    'RevIN': dict(encoder=dict(type='GRU', hidden_size=8), normalization='revin'),
    'season': dict(encoder=dict(type='GRU', hidden_size=8), normalization='season', season=12),
    'quantiles': dict(encoder=dict(type='GRU', hidden_size=8), head=dict(type='QuantileHead')),
    'a distribution': dict(encoder=dict(type='GRU', hidden_size=8), head=dict(type='GaussianHead')),
    'a cycle': dict(encoder=dict(type='GRU', hidden_size=8), cycle=12),
    'mixing': dict(encoder=dict(type='SegmentedGRU', hidden_size=8, segment_length=6),
                   mixing=dict(type='ColumnMixer')),
    'missing values': dict(encoder=dict(type='GRU', hidden_size=8), missing_indicator=True),
    'known columns': dict(encoder=dict(type='SegmentedGRU', hidden_size=8, segment_length=6),
                          known_channels=2),
}


def built(name, seed=0):
    torch.manual_seed(seed)
    arguments = {'head': dict(type='PointHead'), **MODELS_OF[name]}
    model = MODELS.build(dict(type='Forecaster', look_back=LOOK_BACK, horizon=HORIZON, channels=3,
                              **arguments)).eval()
    for parameter in model.parameters():  # what begins at nothing would hide a mistake
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def windows_of(model, count, gaps=False, seed=1):
    random = np.random.default_rng(seed)
    columns = model.channels + model.known_channels
    inputs = random.standard_normal((count, LOOK_BACK, columns)).astype(np.float32)
    observed = random.random(inputs.shape) < 0.8 if gaps else None
    known = random.standard_normal((count, HORIZON, model.known_channels)).astype(np.float32) \
        if model.known_channels else None
    position = random.integers(0, 1000, count) if model.cycle is not None else None
    return LastWindows(SimpleNamespace(ids=[]), inputs, observed, known, np.zeros(count, np.int64),
                       np.zeros((count, 3)), np.ones((count, 3)), None, position)


def by_torch(model, windows):
    batch = {name: torch.from_numpy(each) for name, each in dict(
        inputs=windows.inputs, observed=windows.observed, known=windows.known,
        position=windows.position).items() if each is not None}
    with torch.no_grad():
        return model(**batch, mode='predict')


def plan_of(precision='auto', device='cpu'):
    return SimpleNamespace(loaded=SimpleNamespace(config={'model': {}}), device=device,
                           policy=SimpleNamespace(precision=precision))


NOWHERE = Path('no checkpoint')


@pytest.mark.parametrize('name', MODELS_OF)
def test_every_forecaster_is_exported_and_forecasts_windows_it_never_saw(name):
    model = built(name)
    found = exported(model, plan_of(), NOWHERE, windows_of(model, 1))
    assert isinstance(found, ExportedForecaster)
    others = windows_of(model, 37, seed=2)
    points, quantiles = found(others)
    expected = by_torch(model, others)
    assert points.shape == (37, HORIZON, 3)
    np.testing.assert_allclose(points, expected.point.numpy(), atol=2e-5)
    assert (quantiles is None) == (expected.quantiles is None)
    if quantiles is not None:
        np.testing.assert_allclose(quantiles, expected.quantiles.numpy(), atol=2e-5)


@pytest.mark.parametrize('change', [
    dict(observed=np.ones((2, LOOK_BACK, 3), bool)), dict(position=np.zeros(2, np.int64)),
    dict(known=np.zeros((2, HORIZON, 1), np.float32)),
    dict(inputs=np.full((2, LOOK_BACK, 3), np.inf, np.float32)),
], ids=['gaps', 'places', 'known columns', 'infinity'])
def test_windows_of_another_kind_are_left_to_the_model(change):
    model = built('GRU')
    windows = windows_of(model, 2)
    found = exported(model, plan_of(), NOWHERE, windows)
    for name, value in change.items():
        object.__setattr__(windows, name, value)
    with pytest.raises(NotExported):
        found(windows)


def test_windows_with_gaps_are_left_to_the_model():
    model = built('missing values')  # OpenVINO has no running maximum, by which they are filled
    assert exported(model, plan_of(), NOWHERE, windows_of(model, 2, gaps=True)) is None


@pytest.mark.parametrize('plan', [plan_of('bf16'), plan_of(device='cuda')], ids=['bf16', 'a GPU'])
def test_who_asks_for_something_else_gets_the_model(plan):
    model = built('GRU')
    assert exported(model, plan, NOWHERE, windows_of(model, 2)) is None


def test_a_model_for_each_series_is_not_exported():
    torch.manual_seed(0)
    model = Forecaster(dict(type='GRU', hidden_size=4), dict(type='PointHead'), LOOK_BACK, HORIZON,
                       3, per_series=True, series_count=2).eval()
    assert exported(model, plan_of(), NOWHERE, windows_of(built('GRU'), 2)) is None


def test_what_forecasts_otherwise_is_not_taken(monkeypatch):
    model = built('GRU')

    class Off(ExportedForecaster):
        def forecast(self, arrays):
            return [each + 0.001 for each in super().forecast(arrays)]

    monkeypatch.setattr(exporting, 'ExportedForecaster', Off)
    assert exported(model, plan_of(), NOWHERE, windows_of(model, 2)) is None


def test_a_number_of_windows_that_became_fixed_is_noticed():
    class Fixed(torch.nn.Module):
        """Adds numbers that were drawn for as many windows as it was traced with."""

        def __init__(self):
            super().__init__()
            self.inner = built('GRU')

        def forward(self, inputs, mode):
            forecast = self.inner(inputs, mode=mode)
            return forecast._replace(point=forecast.point.reshape(len(inputs), HORIZON, 3))

    model = built('GRU')
    assert exported(Fixed(), plan_of(), NOWHERE, windows_of(model, 2)) is None


@pytest.fixture
def own_user_cache(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'xdg'))
    return tmp_path / 'xdg' / 'amlnn' / 'forecasters'


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('exported')
    random = np.random.default_rng(0)
    values = np.sin(np.arange(600) * np.pi / 6) + random.standard_normal(600) / 10
    file = folder / 'series.csv'
    days = np.datetime64('2024-01-01') + np.arange(600)
    file.write_text('date,y\n' + ''.join(
        f'{day},{value:.4f}\n' for day, value in zip(days, values, strict=True)))
    config = write_series_config(folder / 'small.py', file, epochs=1)
    return config, train(TrainOptions(config, work_dir=folder / 'runs')) / 'best.pth', file


CODE = ('import sys; sys.argv[0] = "predict"; from amlnn.commands import predict; '
        'status = predict.main(predict.parser().parse_args(sys.argv[1:])); '
        'print(status, "torch" in sys.modules, file=sys.stderr)')


def predicted(*arguments):
    done = subprocess.run([sys.executable, '-c', CODE, *map(str, arguments)], capture_output=True,
                          text=True, check=True)
    return done.stdout, done.stderr.splitlines()[-1]


def test_the_second_forecast_is_the_first_to_the_digit_and_imports_no_torch(
        trained, own_user_cache):
    first, said = predicted(*trained)
    assert said == '0 True'
    assert len(list(own_user_cache.iterdir())) == 1
    second, said = predicted(*trained)
    assert said == '0 False'
    assert second == first and len(first.splitlines()) > 3


@pytest.mark.parametrize('fault', ['a flipped bit', 'cut', 'empty'])
def test_a_damaged_export_is_made_anew(trained, own_user_cache, run_tool, fault):
    status, first, _ = run_tool('predict', *trained)
    assert status == 0
    path = next(own_user_cache.iterdir())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({'cut': bytes(content[:100]), 'empty': b''}.get(fault, bytes(content)))
    assert read_exported(path.name) is None
    assert run_tool('predict', *trained)[:2] == (0, first)
    assert isinstance(read_exported(path.name), ExportedForecaster)


def test_gaps_that_training_had_not_are_forecast_by_the_model(trained, own_user_cache, run_tool,
                                                              tmp_path):
    config, checkpoint, file = trained
    run_tool('predict', *trained)
    lines = file.read_text().splitlines()
    lines[-3] = lines[-3].partition(',')[0] + ','
    gaps = tmp_path / 'gaps.csv'
    gaps.write_text('\n'.join(lines) + '\n')
    options = ('--cfg-options', 'train_dataloader.dataset.source.missing=mask')
    alone = run_tool('predict', config, checkpoint, gaps, *options)
    for kept in own_user_cache.iterdir():
        kept.unlink()
    assert run_tool('predict', config, checkpoint, gaps, *options)[:2] == alone[:2]


def test_other_weights_another_config_and_other_sources_are_other_exports(
        trained, tmp_path, monkeypatch):
    checkpoint = trained[1]
    first = exports.export_name({'model': dict(a=1)}, checkpoint)
    assert first == exports.export_name({'model': dict(a=1), 'train_cfg': 1}, checkpoint)
    assert first != exports.export_name({'model': dict(a=2)}, checkpoint)
    monkeypatch.setattr(exports, '_sources', lambda: 'changed')
    assert first != exports.export_name({'model': dict(a=1)}, checkpoint)
    assert exports.export_name({'model': dict(a=1)}, tmp_path / 'nothing.pth') is None
    (tmp_path / 'unsealed.pth').write_bytes(b'PK' * 100)
    assert exports.export_name({'model': dict(a=1)}, tmp_path / 'unsealed.pth') is None


def test_no_more_exports_are_kept_than_there_is_room_for(own_user_cache, monkeypatch):
    monkeypatch.setattr(exports, '_MOST', 3)
    for number in range(5):
        exports.keep_exported(f'{number:064}', b'<xml/>', b'weights', ['inputs'])
    assert len(list(own_user_cache.iterdir())) == 3
    assert (own_user_cache / f'{4:064}').exists()
