"""Commands on a classifier that holds a whole network of timm's, and on models that are none."""

from pathlib import Path

import pytest
import timm
import torch
from generated import write_data_set
from tiny_runs import write_tiny_config
from torchvision.models import resnet18

WHOLE = '''
model = dict(_delete_=True, type='TimmClassifier', model_name='resnet10t',
             loss=dict(type='CrossEntropyLoss', loss_weight=1.0))
'''


@pytest.fixture
def weights(tmp_path) -> Path:
    torch.manual_seed(1)
    torch.save(timm.create_model('resnet10t', num_classes=3).state_dict(), tmp_path / 'w.pth')
    return tmp_path / 'w.pth'


def test_it_is_trained_frozen_but_for_its_layer_tested_and_asked(
        write_config, run_tool, data_set, weights):
    config = write_config(WHOLE, epochs=1)
    status, shown, errors = run_tool('train', config, '--pretrained', weights, '--device', 'cpu',
                                     '--cfg-options', "model.frozen_stages='all'")
    assert status == 0, errors
    assert 'network tensors from' in shown and '2 tensors of the file not used: `fc.' in shown
    state = torch.load('work_dirs/small/latest/best.pth', weights_only=True)['state_dict']
    given = torch.load(weights, weights_only=True)
    assert len(state['fc.bias']) == 5  # as the data set has classes
    assert all(torch.equal(value, state[name]) for name, value in given.items()
               if not name.startswith('fc.'))
    best = 'work_dirs/small/latest/best.pth'
    assert run_tool('test', config, best, '--device', 'cpu')[0] == 0
    image = data_set / 'val_set/rose/0.png'
    assert run_tool('predict', config, best, image, '--device', 'cpu')[0] == 0


@pytest.mark.parametrize(('options', 'expected'), [
    (['model.frozen_stages=2'], ['frozen_stages', 'TimmClassifier', 'TIMMBackbone']),
    (['model.num_classes=3'], ['`model.num_classes` is 3', '5 classes'])])
@pytest.mark.parametrize('more', [[], ['--dry-run']], ids=['run', 'dry run'])
def test_what_it_does_not_take_is_two_lines_before_a_run(
        write_config, run_tool, options, expected, more):
    status, _, errors = run_tool('train', write_config(WHOLE), '--device', 'cpu', *more,
                                 '--cfg-options', *options)
    assert status == 2 and len(errors.splitlines()) == 2
    assert all(word in errors for word in expected), errors
    assert not list(Path('work_dirs').glob('*/*/run.json'))


@pytest.mark.parametrize(('section', 'expected'), [
    ("type='MAE', backbone=dict(type='MAEViT', arch='b'), neck=None, head=None",
     ['`MAE`', 'without labels']),
    ("type='ImageToImageRetriever', image_encoder=dict(type='ResNet', depth=18), prototype=''",
     ['retrieves images', 'ImageClassifier']),
    ("type='ResNet', depth=18", ['a part of a model', 'backbone=dict'])])
def test_models_that_are_no_classifiers_are_two_lines(write_config, run_tool, section, expected):
    config = write_config(f'model = dict(_delete_=True, {section})')
    status, _, errors = run_tool('train', config, '--device', 'cpu', '--dry-run')
    assert status == 2 and len(errors.splitlines()) == 2, errors
    assert all(word in errors for word in expected), errors


def test_what_an_initialisation_of_mmpretrains_leaves_random_is_said_or_refused(
        run_tool, tmp_path):
    state = resnet18().state_dict()
    del state['layer1.0.conv1.weight']
    torch.save(state, tmp_path / 'hole.pth')
    data = write_data_set(tmp_path / 'data', sizes={'train': 4, 'val': 2, 'test': 2}, side=40)
    config = write_tiny_config(tmp_path / 'small.py', data, f'''
        model = dict(head=dict(in_channels=512), backbone=dict(
            _delete_=True, type='ResNet', depth=18,
            init_cfg=dict(type='Pretrained', checkpoint={str(tmp_path / 'hole.pth')!r})))
        ''')
    status, shown, errors = run_tool('train', config, '--device', 'cpu', '--dry-run')
    assert status == 0, errors
    assert '1 tensor of the backbone stays random: `layer1.0.conv1.weight`' in shown
    status, _, errors = run_tool('train', config, '--device', 'cpu', '--dry-run',
                                 '--cfg-options', 'model.frozen_stages=1')
    assert status == 2 and '`layer1.0.conv1.weight`' in errors
