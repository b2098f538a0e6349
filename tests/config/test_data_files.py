"""Configs of plain data: JSON and YAML, as strict as those in Python."""

import json

import pytest

from amlnn.config.load import load_config
from amlnn.errors import ConfigError

SAME = {
    'python.py': "_base_ = ['model.py', 'schedule.py']\n"
                 "model = dict(backbone=dict(depth=34))\n"
                 "optim_wrapper = dict(optimizer=dict(lr=1e-3))\n",
    'plain.json': json.dumps({'_base_': ['model.py', 'schedule.py'],
                              'model': {'backbone': {'depth': 34}},
                              'optim_wrapper': {'optimizer': {'lr': 1e-3}}}, indent=2),
    'plain.yaml': '_base_: [model.py, schedule.py]\nmodel:\n  backbone: {depth: 34}\n'
                  'optim_wrapper:\n  optimizer:\n    lr: 1e-3\n',
    'plain.yml': '_base_:\n- model.py\n- schedule.py\nmodel: {backbone: {depth: 34}}\n'
                 'optim_wrapper: {optimizer: {lr: 0.001}}\n'}


@pytest.mark.parametrize('name', SAME)
def test_the_same_config_in_every_language(configs, name):
    for each, text in SAME.items():
        configs.write(each, text)
    assert load_config(name).config == load_config('python.py').config
    assert load_config(name).name == name.partition('.')[0]


@pytest.mark.parametrize(('name', 'text', 'said', 'hint'), [
    ('a.json', '{\n"_base_": "model.py",\n"model": {\n"backbone": {"detph": 3}}}',
     'a.json:4: `model.backbone.detph`', '`depth`'),
    ('a.yaml', '_base_: model.py\nmodel:\n  backbone:\n    detph: 3\n',
     'a.yaml:4: `model.backbone.detph`', '`depth`'),
    ('a.json', '{\n"train_cgf": {}}', 'a.json:2: `train_cgf`', '`train_cfg`'),
    ('a.yaml', 'spare: 3\n', 'a.yaml:1: `spare`', ''),
    ('a.json', '{"model": 3,}', 'a.json:1: ', 'look at'),
    ('a.yaml', 'model: [\n', 'a.yaml:', 'look at'),
    ('a.json', '[1]', 'a.json: it holds no keys', 'model'),
    ('a.yaml', '', 'a.yaml: it holds no keys', 'model'),
    ('a.yaml', 'model:\n  3: 4\n', 'a.yaml:2: the key 3', 'quotes'),
    ('a.json', '{"_base_": 3}', 'a.json:1: `_base_`', '_base_'),
    ('a.json', '{"_base_": "nothing.json"}', 'a.json:1: no base file', ''),
    ('a.json', '{"_base_": "model.py", "work_dir": "{{_base_.modle}}"}', '_base_.modle', 'model')])
def test_what_is_wrong_names_the_line(configs, name, text, said, hint):
    configs.write(name, text)
    with pytest.raises(ConfigError) as caught:
        load_config(name)
    assert said in caught.value.message and hint in caught.value.hint and caught.value.hint


def test_values_of_the_base_and_of_the_file_are_filled_in(configs):
    configs.write('a.json', '{"_base_": "schedule.py", "work_dir": "{{ fileBasenameNoExtension }}",'
                            ' "auto_scale_lr": "{{_base_.train_cfg}}"}')
    with pytest.raises(ConfigError, match='auto_scale_lr'):
        load_config('a.json')  # it was filled in, and by_epoch is no key there
    configs.write('b.yaml', '_base_: schedule.py\nwork_dir: "{{ fileBasenameNoExtension }}"\n'
                            'val_cfg: {}\n')
    assert load_config('b.yaml').config['work_dir'] == 'b'


def test_a_python_config_inherits_from_plain_data(configs):
    configs.write('plain.yaml', SAME['plain.yaml'])
    loaded = configs.load("_base_ = 'plain.yaml'\nmodel = dict(backbone=dict(depth=50))\n")
    assert loaded.config['model']['backbone']['depth'] == 50
    assert loaded.origins['optim_wrapper.optimizer.lr'] == 'plain.yaml:6'
