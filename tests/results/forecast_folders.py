"""Run folders of forecasters as training writes them, made without training."""

from pathlib import Path

import numpy as np
from run_folders import epoch, record, test_record, write_run

from amlnn.records import write_record

HORIZON = 8
BASELINES = {name: {'forecast/mse': mse, 'forecast/mae': mse ** 0.5, 'windows': 93,
                    'forecast/mse_original': 4 * mse, 'forecast/mae_original': 2 * mse ** 0.5}
             for name, mse in (('train mean', 1.1), ('repeat last', 0.8), ('ridge', 0.25),
                               ('noise-free truth', 0.2))}


def arrays(rows: int = 100, horizon: int = HORIZON, columns: int = 1, stride: int = 1,
           seed: int = 0, error: float = 0.5) -> dict[str, np.ndarray]:
    """Windows over a daily cycle, with forecasts that err more the further ahead."""
    random = np.random.default_rng(5)
    series = np.sin(np.arange(rows)[:, None] / 24 * 2 * np.pi + np.arange(columns)) \
        + random.normal(0, 0.3, (rows, columns))
    starts = np.arange(0, rows - horizon + 1, stride)
    target = np.stack([series[start:start + horizon] for start in starts]).astype(np.float32)
    noise = np.random.default_rng(seed).normal(0, 1, target.shape)
    growth = error * np.sqrt(np.arange(1, horizon + 1))[:, None] / horizon ** 0.5
    times = np.datetime64('2020-01-01T00:00:00') + starts * np.timedelta64(3600, 's')
    return dict(id=times.astype(str), target=target,
                forecast=(target + growth * noise).astype(np.float32),
                columns=np.array([f'c{place}' for place in range(columns)]),
                mean=np.arange(10.0, 10 + columns), deviation=np.arange(2.0, 2 + columns))


def write_forecaster(folder: Path, name: str = 'gru', seed: int = 0, tested: bool = True,
                     config: str = '', columns: int = 1, horizon: int = HORIZON,
                     mse: float | None = None, **values) -> Path:
    """A finished run with forecasts of its validation part and, if tested, of its test part."""
    rows = [epoch(number, metrics={'forecast/mse': 1 / number}) for number in (1, 2, 3)]
    run = record(name, rows=rows, **{
        'kind': 'forecasting', 'seed': seed, 'monitor': 'forecast/mse', 'monitor_rule': 'less',
        'best_epoch': 3, 'best_value': 1 / 3, 'classes': [], 'frozen_stages': None,
        'samples': {'train': 200, 'val': 93}, 'max_epochs': 3, **values})
    write_run(folder, run, config or (
        f'model = dict(type={name!r})\n'
        f'train_dataloader = dict(dataset=dict(look_back=24, horizon={horizon}))\n'
        f'randomness = dict(seed={seed})\n'))
    np.savez(folder / 'predictions_val.npz', **arrays(columns=columns, horizon=horizon,
                                                      seed=seed + 50))
    if tested:
        stored = arrays(columns=columns, horizon=horizon, seed=seed)
        np.savez(folder / 'predictions_test.npz', **stored)
        mse = mse or float(np.square(stored['target'].astype(float) - stored['forecast']).mean())
        write_record(folder / 'test_test.json', test_record(
            checkpoint_epoch=3, samples=len(stored['id']), baselines=BASELINES, metrics={
                'forecast/mse': mse, 'forecast/mae': 0.4, 'forecast/mse_original': 4 * mse,
                'interval/coverage_80': 0.781}))
    return folder


def panel_arrays(series: int = 4, rows: int = 60, seed: int = 0, horizon: int = HORIZON,
                 columns: int = 1) -> dict[str, np.ndarray]:
    """Series of ragged length, each ten times as large as the one before, the later the worse."""
    parts = [arrays(rows - 5 * place, horizon, columns, seed=seed + place, error=0.2 + 0.2 * place)
             for place in range(series)]
    names = [f'shop {place}' for place in range(series)]
    scale = 10.0 ** np.arange(series)[:, None]
    return dict(
        id=np.concatenate([[f'{name} {time}' for time in part['id']]
                           for name, part in zip(names, parts, strict=True)]),
        target=np.concatenate([part['target'] for part in parts]),
        forecast=np.concatenate([part['forecast'] for part in parts]),
        columns=parts[0]['columns'], ids=np.array(names),
        series=np.repeat(np.arange(series), [len(part['id']) for part in parts]),
        mean=scale * parts[0]['mean'], deviation=scale * parts[0]['deviation'])


def series_errors(stored: dict[str, np.ndarray]) -> dict[str, list[dict[str, float]]]:
    """What a test record says by series: repeating errs as much as its scale, ridge half of it."""
    found: dict[str, list[dict[str, float]]] = {'this model': [], 'repeat last': [], 'ridge': []}
    for place, deviation in enumerate(stored['deviation'].mean(axis=1)):
        windows = int((stored['series'] == place).sum())
        for name, mae in (('this model', 0.1), ('repeat last', 1.0), ('ridge', 0.5)):
            found[name].append({'mse': (mae * deviation) ** 2, 'mae': mae * deviation,
                                'windows': windows})
    return found


def write_panel(folder: Path, name: str = 'gru', errors: bool = True, **options) -> Path:
    """A finished and tested run on several series."""
    write_forecaster(folder, name)
    stored = panel_arrays(**options)
    np.savez(folder / 'predictions_val.npz', **panel_arrays(**{**options, 'seed': 50}))
    np.savez(folder / 'predictions_test.npz', **stored)
    write_record(folder / 'test_test.json', test_record(
        checkpoint_epoch=3, samples=len(stored['id']), baselines=BASELINES,
        series_errors=series_errors(stored) if errors else {}, metrics={
            'forecast/mse': float(np.square(stored['target'] - stored['forecast']).mean()),
            'forecast/wape': 0.1234, 'forecast/series_mae': 0.456}))
    return folder
