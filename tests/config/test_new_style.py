"""Configs that import their bases and their classes, as MMEngine's newer ones do."""

import sys

import pytest

BASE = '''
_small = 18
depth = _small
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=depth),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', in_channels=512, num_classes=5))
'''
READ = 'from mmengine.config import read_base\nwith read_base():\n'


@pytest.fixture(autouse=True)
def base(configs):
    configs.write('bases/small.py', BASE)
    configs.write('bases/schedule.py', "optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))\n")


def test_a_base_is_imported_and_changed(configs):
    loaded = configs.load(READ + '''\
    from .bases.small import *
    from .bases.schedule import optim_wrapper
model.backbone.depth = 34
model.update(dict(neck=None))
optim_wrapper = dict(optimizer=dict(type='Adam', lr=0.01))
''')
    assert loaded.config['model']['backbone'] == dict(type='ResNet', depth=34)
    assert loaded.config['model']['neck'] is None
    assert loaded.config['optim_wrapper'] == dict(optimizer=dict(type='Adam', lr=0.01))
    assert loaded.origins['model.backbone.depth'] == 'child.py:5'
    assert loaded.origins['model.head.in_channels'].startswith('bases/small.py:')


def test_what_is_set_anew_replaces_and_is_not_merged(configs):
    loaded = configs.load(READ + "    from .bases.schedule import *\n"
                          "optim_wrapper = dict(type='OptimWrapper')\n")
    assert loaded.config['optim_wrapper'] == dict(type='OptimWrapper')


def test_a_base_above_its_folder_is_found(configs):
    configs.load(READ + '    from ..bases.small import *\n', name='deep/child.py')


def test_classes_are_names_and_nothing_is_imported(configs):
    before = set(sys.modules)
    loaded = configs.load('''\
        import torch.nn as nn
        from mmpretrain.models import VGG as Net, ImageClassifier
        from torch.optim import AdamW
        model = dict(type=ImageClassifier, backbone=dict(type=Net, depth=11,
                                                         act_cfg=dict(type=nn.GELU)))
        optim_wrapper = dict(optimizer=dict(type=AdamW, lr=0.1))
        ''')
    assert loaded.config['model'] == dict(type='ImageClassifier', backbone=dict(
        type='VGG', depth=11, act_cfg=dict(type='GELU')))
    assert type(loaded.config['optim_wrapper']['optimizer']['type']) is str
    assert 'mmpretrain' not in set(sys.modules) - before


@pytest.mark.parametrize(('text', 'said', 'hint'), [
    (READ + '    from .bases.small import *\nmodel.backbone.detph = 3\n',
     'child.py:4: `model.backbone.detph`', '`depth`'),
    (READ + '    from .bases.small import modle\n', 'has no `modle`', 'model'),
    (READ + '    from .bases.smal import *\n', 'child.py:3: no base file', 'small.py'),
    (READ + '    model = 3\n', 'child.py:3: ', '_base_'),
    ('from .bases.small import *\n', 'child.py:1: ', 'read_base'),
    ('import torch\ntrain_cfg = dict(max_epochs=torch.cuda.device_count())\n',
     'child.py:2: a config may not call `torch.cuda.device_count`', 'write the value out')])
def test_what_is_wrong_names_the_line(configs, text, said, hint):
    error = configs.error(text)
    assert said in error.message and hint in error.message + error.hint
