"""config.py of a run is read by MMPretrain as it stands, and by amlnn as the config it was."""

import pytest

from amlnn.config.load import load_config
from amlnn.config.mmpretrain_form import exported_text, stored_text
from amlnn.config.resolved import config_hash, read_resolved

TEXT = """
_base_ = ['model.py', 'schedule.py']
model = dict(
    frozen_stages=1, trainable=('layer4', ), pretrained=None, pretrained_head=False,
    head=dict(_delete_=True, type='DenseHead', in_channels=512, hidden_channels=(8, )))
default_hooks = dict(
    checkpoint=dict(type='RunCheckpointHook', save_best='val_loss', rule='less'))
execution = dict(precision='fp32')
"""
KEYS = {'frozen_stages', 'trainable', 'pretrained', 'pretrained_head'}


def as_mmpretrain_reads(text: str) -> dict:
    """Python executes it, as MMEngine's loader does."""
    found = {}
    exec(text, {}, found)
    return found


def test_the_stored_config_is_read_back_as_the_config_it_was(configs):
    config = configs.load(TEXT).config
    text = stored_text(config, 7)
    assert read_resolved(text) == config
    configs.write('run/config.py', text)
    again = load_config('run/config.py').config
    assert again == config and config_hash(again) == config_hash(config)
    assert stored_text(again, 7) == text
    child = configs.load("_base_ = 'run/config.py'\nmodel = dict(frozen_stages=2)\n")
    assert child.config['model'] == {**config['model'], 'frozen_stages': 2}


def test_the_stored_config_has_what_mmpretrain_reads(configs):
    found = as_mmpretrain_reads(stored_text(configs.load(TEXT).config, 7))
    assert not KEYS & found['model'].keys()
    assert found['model']['head']['num_classes'] == 7
    assert found['default_scope'] == 'mmpretrain'
    assert found['custom_imports']['imports'] == ['amlnn.models.images.heads']


def test_a_user_s_own_imports_stay_and_stay_apart(configs):
    configs.write('mine_too.py', '')
    config = configs.load(TEXT + "custom_imports = dict(imports='mine_too', "
                                 "allow_failed_imports=False)\n").config
    text = stored_text(config, 7)
    assert as_mmpretrain_reads(text)['custom_imports'] == dict(
        imports=['mine_too', 'amlnn.models.images.heads'], allow_failed_imports=False)
    assert read_resolved(text) == config


def test_older_run_folders_are_read_as_they_were(configs):
    configs.write('run/config.py', "model = dict(type='ImageClassifier', frozen_stages=1, "
                                   "backbone=dict(type='ResNet', depth=18))\n")
    assert load_config('run/config.py').config['model']['frozen_stages'] == 1


@pytest.mark.parametrize('value', ["3", "dict(keys={})", "dict(keys={'a.b': 1}, without=[])"])
def test_the_key_is_amlnn_s_own(configs, value):
    error = configs.error(f"_base_ = 'schedule.py'\namlnn = {value}\n")
    assert error.message.startswith('child.py:2: `amlnn`')


def test_the_export_names_what_mmpretrain_has(configs):
    text, notes = exported_text(configs.load(TEXT).config, 7)
    found = as_mmpretrain_reads(text)
    assert 'execution' not in found and 'amlnn' not in found
    assert found['default_hooks']['checkpoint'] == dict(
        type='CheckpointHook', save_best='auto', rule='greater')
    assert any('frozen_stages' in note for note in notes)
