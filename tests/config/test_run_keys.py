"""Every top-level key asks for something that shows, or is refused: none is taken in silence."""

import inspect

import pytest

from amlnn.config.load import load_config
from amlnn.config.run_keys import check_run_keys, idle_keys
from amlnn.config.structure import TOP_LEVEL
from amlnn.errors import ConfigError

# What each key has to show when it is followed; the rest is refused below. The test that trains is
# tests/engine/test_every_key.py.
FOLLOWED = {
    'model', 'data_preprocessor', 'train_dataloader', 'val_dataloader', 'test_dataloader',
    'val_evaluator', 'test_evaluator', 'optim_wrapper', 'param_scheduler', 'train_cfg', 'val_cfg',
    'test_cfg', 'auto_scale_lr', 'default_hooks', 'custom_hooks', 'env_cfg', 'randomness',
    'log_processor', 'visualizer', 'execution', 'custom_imports', 'tta_model', 'tta_pipeline',
    'data', 'work_dir', 'log_level', 'default_scope', 'experiment_name'}

REFUSED = {
    'load_from': "'a.pth'", 'resume': 'True', 'launcher': "'pytorch'",
    'model_wrapper_cfg': "dict(type='MMDistributedDataParallel')", 'find_unused_parameters': 'True',
    'sync_bn': "'torch'", 'runner_type': "'FlexibleRunner'", 'strategy': "dict(type='DDPStrategy')",
    'compile': 'True', 'activation_checkpointing': "['backbone']",
    'efficient_conv_bn_eval': "['backbone']"}

INNER = {
    'train_cfg.type': "train_cfg = dict(_delete_=True, type='MultiLoop', max_epochs=2)",
    'val_cfg.type': "val_cfg = dict(type='RetrievalValLoop')",
    'test_cfg.type': "test_cfg = dict(type='RetrievalTestLoop')",
    'val_cfg.fp16': 'val_cfg = dict(fp16=True)', 'test_cfg.fp16': 'test_cfg = dict(fp16=True)',
    'randomness.diff_rank_seed': 'randomness = dict(diff_rank_seed=True)',
    'env_cfg.dist_cfg': "env_cfg = dict(dist_cfg=dict(backend='nccl', timeout=10))"}


def test_every_key_of_a_config_and_of_the_runner_is_followed_or_refused():
    from mmengine.runner import Runner
    assert FOLLOWED | REFUSED.keys() == set(TOP_LEVEL)
    assert not FOLLOWED & REFUSED.keys()
    of_the_runner = set(inspect.signature(Runner.__init__).parameters) - {'self', 'cfg'}
    assert of_the_runner <= set(TOP_LEVEL)


@pytest.mark.parametrize('key', REFUSED)
def test_a_key_that_nothing_follows_is_refused_with_what_to_write_instead(configs, key):
    loaded = configs.load(f"_base_ = 'schedule.py'\n{key} = {REFUSED[key]}\n")
    with pytest.raises(ConfigError) as caught:
        check_run_keys(loaded)
    assert caught.value.message == f'child.py:2: `{key}` changes nothing here'
    assert caught.value.hint


@pytest.mark.parametrize('key', [key for key in INNER if key != 'train_cfg.type'])
def test_a_key_inside_a_section_that_nothing_follows_is_refused(configs, key):
    loaded = configs.load(f"_base_ = 'schedule.py'\n{INNER[key]}\n")
    with pytest.raises(ConfigError) as caught:
        check_run_keys(loaded)
    assert key.removesuffix('.type') in caught.value.message and caught.value.hint


def test_values_that_ask_for_nothing_are_let_pass(configs):
    loaded = configs.load(
        "load_from = None\nresume = False\nlauncher = 'none'\nfind_unused_parameters = False\n"
        "val_cfg = dict(type='ValLoop')\nenv_cfg = dict(dist_cfg=dict(backend='nccl'))\n"
        "randomness = dict(seed=1, diff_rank_seed=False)\n")
    assert check_run_keys(loaded) == []


def test_mmpretrain_s_files_and_configs_of_runs_are_let_pass_with_a_note(configs):
    shipped = configs.load("_base_ = 'mmpretrain::densecl/densecl_resnet50_8xb32-coslr-200e_in1k.py"
                           "'\n")
    noted = {key for key, _ in idle_keys(shipped.config)}
    assert all(any(f'`{key}`' in note for note in check_run_keys(shipped)) for key in noted)
    configs.write('run/run.json', '{}')
    old = configs.load("_base_ = '../schedule.py'\nsync_bn = 'torch'\n", name='run/config.py')
    assert check_run_keys(old) == ['run/config.py:2: `sync_bn` changes nothing here']


@pytest.mark.parametrize(('text', 'said'), [
    ('auto_scale_lr = dict(enable=True)', 'auto_scale_lr'),
    ('auto_scale_lr = dict(enable=True, base_batch_size=0)', 'auto_scale_lr'),
    ("env_cfg = dict(mp_cfg=dict(mp_start_method='sprawn'))", 'sprawn'),
    ("log_level = 'INFOO'", 'INFOO'),
    ("val_dataloader = dict(batch_size=2, dataset=dict(type='CustomDataset'))", 'val_evaluator'),
    ("val_dataloader = dict(batch_size=2, dataset=dict(type='CustomDataset'))\nval_cfg = None\n"
     "val_evaluator = dict(type='Accuracy')", 'val_cfg'),
    ("visualizer = dict(type='Visualizer')\ndefault_hooks = dict(logger=None)", 'visualizer'),
    ("log_processor = dict(window_size=3)\ndefault_hooks = dict(logger=None)", 'log_processor')])
def test_values_that_would_end_a_run_later_are_refused(configs, text, said):
    loaded = configs.load(f"_base_ = 'schedule.py'\n{text}\n")
    with pytest.raises(ConfigError, match=said) as caught:
        check_run_keys(loaded)
    assert caught.value.hint


@pytest.mark.parametrize(('name', 'package'), [
    ('TensorboardVisBackend', 'tensorboard'), ('WandbVisBackend', 'wandb'),
    ('MLflowVisBackend', 'mlflow'), ('ClearMLVisBackend', 'clearml'),
    ('NeptuneVisBackend', 'neptune'), ('DVCLiveVisBackend', 'dvclive'), ('AimVisBackend', 'aim')])
def test_a_tracker_that_is_not_installed_is_refused_before_the_run(configs, monkeypatch, name,
                                                                   package):
    monkeypatch.setattr('amlnn.config.run_keys.is_installed', lambda name: False)
    loaded = configs.load(
        f"vis_backends = [dict(type='LocalVisBackend'), dict(type='{name}')]\n"
        "visualizer = dict(type='Visualizer', vis_backends=vis_backends)\n")
    with pytest.raises(ConfigError) as caught:
        check_run_keys(loaded)
    assert name in caught.value.message and f'pip install {package}' in caught.value.hint
    monkeypatch.setattr('amlnn.config.run_keys.is_installed', lambda name: True)
    assert ['LocalVisBackend' in note for note in check_run_keys(loaded)] == [True]


def test_every_tracker_of_mmengine_is_known():
    from mmengine.visualization import vis_backend

    from amlnn.config.library_facts import LOCAL_BACKEND, TRACKERS
    found = {name for name in vars(vis_backend) if name.endswith('VisBackend')}
    assert found - {'BaseVisBackend', LOCAL_BACKEND} == set(TRACKERS)


def test_weights_that_a_stored_config_names_by_load_from_are_refused_too(configs):
    configs.write('run/run.json', '{}')
    path = configs.write('run/config.py', "load_from = 'a.pth'\n")
    with pytest.raises(ConfigError, match='load_from'):
        check_run_keys(load_config(path))
