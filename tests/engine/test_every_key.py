"""What each key of a config shows in a training that sets it.

tests/config/test_run_keys.py has the list of keys; those that build a class of a registry are shown
by tests/engine/test_own_modules.py.
"""

import json
import multiprocessing
import resource
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from generated import write_series, write_series_config
from tiny_runs import write_tiny_config

from amlnn.engine.evaluate import TestOptions, test
from amlnn.engine.run.checkpoint import read_checkpoint
from amlnn.engine.train import TrainOptions, train
from amlnn.errors import ConfigError

test.__test__ = False

KEYS = '''
work_dir = 'my_runs'
experiment_name = 'my_name'
log_level = 'WARNING'
auto_scale_lr = dict(enable=True, base_batch_size=5)
randomness = dict(seed=7, deterministic=True)
env_cfg = dict(
    cudnn_benchmark=False, resource_limit=5000,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=3))
train_cfg = dict(max_epochs=2, val_interval=2)
optim_wrapper = dict(optimizer=dict(lr=0.01))
param_scheduler = []
default_hooks = dict(
    checkpoint=dict(interval=2, save_best=None, rule=None), logger=dict(interval=2))
'''


@pytest.fixture
def as_before():
    """What a Runner sets for the whole process is set back."""
    threads, limit = cv2.getNumThreads(), resource.getrlimit(resource.RLIMIT_NOFILE)
    method = multiprocessing.get_start_method(allow_none=True)
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.deterministic = False
    cv2.setNumThreads(threads)
    resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    multiprocessing.set_start_method(method, force=True)


def test_what_is_set_shows(tmp_path, data_set, as_before, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = write_tiny_config(tmp_path / 'c.py', data_set, KEYS, epochs=2)
    run = train(TrainOptions(config, device='cpu'))
    checkpoint = read_checkpoint(run / 'checkpoints/epoch_0002.pth')
    lines = [json.loads(line) for line in (run / 'scalars.jsonl').read_text().splitlines()]
    record = json.loads((run / 'run.json').read_text())
    shown = {
        'work_dir': run.parent.name == 'my_runs',
        'experiment_name': checkpoint['meta']['experiment_name'].startswith('my_name'),
        'log_level': 'INFO' not in (run / 'train.log').read_text(),
        'auto_scale_lr': lines[0]['lr'] == pytest.approx(0.02),  # batches of 10, not of 5
        'randomness.seed': record['seed'] == 7,
        'randomness.deterministic': torch.are_deterministic_algorithms_enabled(),
        'env_cfg.opencv_num_threads': cv2.getNumThreads() == 3,
        'env_cfg.resource_limit': resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 5000,
        'train_cfg': ['accuracy/top1' in epoch['metrics'] for epoch in record['epochs']]
        == [False, True],
        'default_hooks': not (run / 'best.pth').exists()
        and not (run / 'checkpoints/epoch_0001.pth').exists()}
    assert [key for key, seen in shown.items() if not seen] == []


def test_several_views_are_made_and_averaged_as_the_config_says(tmp_path, data_set):
    text = '''
        tta_model = dict(type='AverageClsScoreTTA')
        tta_pipeline = [
            dict(type='LoadImageFromFile'),
            dict(type='TestTimeAug', transforms=[
                [dict(type='Rotate', angle=90., prob=1.), dict(type='RandomFlip', prob=0.)],
                [dict(type='PackInputs')]])]
        '''
    config = write_tiny_config(tmp_path / 'c.py', data_set, text, epochs=1)
    run = train(TrainOptions(config, work_dir=tmp_path / 'w', device='cpu'))
    scores = []
    for options in ([], ['tta_pipeline=None']):
        test(TestOptions(config, cfg_options=options, checkpoint=run / 'best.pth', tta=True,
                         device='cpu'))
        scores.append(np.load(run / 'predictions_test.npz')['prob'])
    assert not np.allclose(*scores)


def test_the_rate_of_a_forecaster_is_scaled_too(tmp_path):
    series = write_series(tmp_path / 'data/hourly.csv')
    config = write_series_config(tmp_path / 'c.py', series, '''
        auto_scale_lr = dict(enable=True, base_batch_size=32)
        optim_wrapper = dict(optimizer=dict(lr=0.01))
        param_scheduler = []
        ''', epochs=1)
    run = train(TrainOptions(config, work_dir=tmp_path / 'w', device='cpu'))
    first = json.loads((run / 'scalars.jsonl').read_text().splitlines()[0])
    assert first['lr'] == pytest.approx(0.005)  # batches of 16, not of 32


@pytest.mark.parametrize('text', ['data_preprocessor = dict(mean=[0, 0, 0])',
                                  "visualizer = dict(type='Visualizer')",
                                  "model = dict(head_start='probe')"])
def test_what_means_nothing_to_a_forecaster_is_refused(tmp_path, text):
    series = write_series(tmp_path / 'data/hourly.csv')
    config = write_series_config(tmp_path / 'c.py', series, text)
    with pytest.raises(ConfigError, match=text.partition(' ')[0]) as caught:
        train(TrainOptions(config, work_dir=tmp_path / 'w', device='cpu'))
    assert caught.value.hint and not (tmp_path / 'w').exists()


@pytest.mark.parametrize(('flags', 'seen'), [
    (['--no-validate'], lambda run: not (run / 'best.pth').exists()
     and 'val' not in json.loads((run / 'run.json').read_text())['samples']),
    (['--auto-scale-lr', '--amp', '--no-pin-memory', '--no-persistent-workers', '--resume', 'auto'],
     lambda run: json.loads((run / 'scalars.jsonl').read_text().splitlines()[0])['lr']
     == pytest.approx(0.02))])
def test_flags_of_mmpretrain_train(tmp_path, data_set, run_tool, flags, seen):
    config = write_tiny_config(tmp_path / 'c.py', data_set, '''
        auto_scale_lr = dict(enable=False, base_batch_size=5)
        optim_wrapper = dict(optimizer=dict(lr=0.01))
        param_scheduler = []
        ''', epochs=1)
    status, _, err = run_tool('train', config, '--device', 'cpu', '--work-dir', tmp_path / 'w',
                                *flags)
    assert status == 0, err
    assert seen(tmp_path / 'w/latest')


def test_metrics_alone_are_written_and_the_record_as_ever(tmp_path, data_set, run_tool):
    config = write_tiny_config(tmp_path / 'c.py', data_set, epochs=1)
    run = train(TrainOptions(config, work_dir=tmp_path / 'w', device='cpu'))
    status, _, err = run_tool('test', config, run / 'best.pth', '--device', 'cpu', '--out',
                              tmp_path / 'metrics.json', '--out-item', 'metrics')
    assert status == 0, err
    assert json.loads((tmp_path / 'metrics.json').read_text()) \
        == json.loads((run / 'test_test.json').read_text())['metrics']


def test_mmpretrain_loads_a_run(tmp_path, data_set):
    from mmpretrain import get_model
    config = write_tiny_config(tmp_path / 'c.py', data_set, "model = dict(frozen_stages=1, head="
                               "dict(_delete_=True, type='DenseHead', in_channels=32))", epochs=1)
    run = train(TrainOptions(config, work_dir=tmp_path / 'w', device='cpu'))
    model = get_model(str(run / 'config.py'), pretrained=str(run / 'best.pth'), device='cpu').eval()
    weights = read_checkpoint(run / 'best.pth')['state_dict']
    assert model.state_dict().keys() == weights.keys()
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert model(torch.zeros(1, 3, 40, 40), mode='tensor').shape == (1, 5)


THEIRS = '''
import sys
from mmengine.config import Config
from mmengine.runner import Runner
Runner.from_cfg(Config.fromfile(sys.argv[1])).train()
'''


def test_a_config_is_exported_for_mmpretrain_s_own_tools(tmp_path, data_set, run_tool):
    from mmengine.config import Config
    config = write_tiny_config(tmp_path / 'c.py', data_set, epochs=1)
    status, _, err = run_tool('check_config', config, '--for', 'mmpretrain', '--out',
                              tmp_path / 'theirs.py')
    assert status == 0, err
    theirs = Config.fromfile(tmp_path / 'theirs.py')
    theirs.work_dir = str(tmp_path / 'theirs')
    # In a process of its own, as their tools are: what other tests leave in MMEngine is not there.
    theirs.dump(tmp_path / 'dumped.py')
    done = subprocess.run([sys.executable, '-c', THEIRS, tmp_path / 'dumped.py'], check=False,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / 'theirs').glob('*.pth'))
