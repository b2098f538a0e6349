"""What the examples in docstrings make their files with, each in an empty folder of its own.

The `conftest.py` of the project gives them these names.
"""

import textwrap
from pathlib import Path

import numpy as np

from amlnn.records import EpochRecord, RunRecord, TestRecord, write_record
from amlnn.results.forecasts import Forecasts
from amlnn.results.store import StoredRun, find_runs

__all__ = ['tiny_config', 'tiny_forecaster', 'tiny_panel', 'tiny_run', 'write']

_CONFIG = '''\
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=18),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', in_channels=512, num_classes=5))
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
train_cfg = dict(by_epoch=True, max_epochs=3)
'''


def write(name: str, text: str) -> Path:
    """Write a file, with the folders that it needs."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding='utf-8')
    return path


def tiny_config(text: str = '') -> str:
    """Write `tiny.py`, which inherits a whole small config and sets what `text` says, in line 2."""
    write('tiny_base.py', _CONFIG)
    write('tiny.py', f"_base_ = 'tiny_base.py'\n{text}\n")
    return 'tiny.py'


def tiny_run(name: str = 'tiny', seed: int = 0) -> StoredRun:
    """A classifier of cats and dogs that took one cat of two for a dog, and was not tested."""
    folder = _write_run(name, seed, 'classification', {'accuracy/top1': 75.0})
    np.savez(folder / 'predictions_val.npz', id=[f'val/{n}.png' for n in range(4)],
             label=[0, 0, 1, 1], classes=['cat', 'dog'], prob=np.array(
                 [[0.75, 0.25], [0.25, 0.75], [0.25, 0.75], [0.0, 1.0]], np.float32))
    return find_runs([folder])[0]


def tiny_forecaster(name: str = 'gru', seed: int = 0) -> StoredRun:
    """A forecaster of the line 0, 1, 2, ... that errs by 1 in the second of two steps, tested."""
    folder = _write_run(name, seed, 'forecasting', {'forecast/mse': 0.5})
    start = np.arange(4.0, dtype=np.float32)
    target = np.stack([start, start + 1], axis=1)[..., None]
    for split in ('val', 'test'):
        np.savez(folder / f'predictions_{split}.npz', target=target,
                 forecast=target + np.array([[0], [1]], np.float32), columns=['height'],
                 id=[f'2020-01-0{day}T00:00:00' for day in range(1, 5)], mean=[10.0],
                 deviation=[2.0])
    errors = {'forecast/mse': 0.5, 'forecast/mse_original': 2.0}
    write_record(folder / 'test_test.json', TestRecord(
        'best.pth', 1, 'test', 4, None, errors, 1.0, 4.0, 'cpu', 'fp32', None, 'd', {},
        '2025-03-01T10:03:00Z', baselines={'ridge': {'forecast/mse': 0.25, 'windows': 4}}))
    return find_runs([folder])[0]


def tiny_panel() -> Forecasts:
    """Two windows of shop a, off by 1 each, and one of shop b, off by 4: one step, scale 1."""
    target = np.zeros((3, 1, 1), np.float32)
    return Forecasts(
        np.array(['a 2020-01-01', 'a 2020-01-02', 'b 2020-01-05']), target,
        target + np.array([1, 1, 4], np.float32)[:, None, None], ['sales'],
        np.array([[5.0], [7.0]]), np.ones((2, 1)), names=['a', 'b'], places=np.array([0, 0, 1]))


def _write_run(name: str, seed: int, kind: str, metrics: dict[str, float]) -> Path:
    folder = Path(f'work_dirs/{name}/run-{seed}')
    write(f'{folder}/config.py', f'model = dict(type={name!r}, depth=18)\n'
                                 f'randomness = dict(seed={seed})\n')
    (metric, value), = metrics.items()
    write_record(folder / 'run.json', RunRecord(
        name, f'configs/{name}.py', ['python', 'tools/train.py', f'configs/{name}.py'], 'c0ffee',
        '2025-03-01T10:00:00Z', seed, kind=kind, status='done', data_manifest_hash='d',
        samples={'train': 8, 'val': 4}, max_epochs=1, monitor=metric, best_epoch=1,
        best_value=value, total_seconds=2.0, total_samples=8, epochs=[EpochRecord(
            1, 4, 0.5, 0.4, metrics, 0.01, 2.0, 1.5, 0.5, 5.0)]))
    return folder
