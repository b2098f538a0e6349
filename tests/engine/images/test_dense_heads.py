"""Dense heads in whole runs: what does not fit is said before a run begins."""

from pathlib import Path

import pytest
import torch
from generated import ROOT
from mmpretrain.models import build_classifier

from amlnn.config.load import load_config
from amlnn.engine.precision import ExecutionPolicy
from amlnn.models.images.freezing import freeze
from amlnn.models.parameters import count_parameters
from amlnn.records import read_run, read_test

HEAD = "type='DenseHead', in_channels=512, hidden_channels=(16, ), dropout=0.2"
FLATTENED = f"neck=None, frozen_stages='all', head=dict({HEAD})"


@pytest.fixture
def write(write_config, data_set):
    """Writes a config of a narrow ResNet18, whose 128 maps have 2 x 2 pixels."""
    steps = "dict(type='LoadImageFromFile'), dict(type='Resize', scale=40), dict(type='PackInputs')"
    data = f'dataset=dict(data_root={str(data_set)!r}, pipeline=[{steps}])'
    return lambda model: write_config(f'''
model = dict({model})
train_dataloader = dict(batch_size=10, {data})
val_dataloader = dict({data})
test_dataloader = dict({data})
''')


@pytest.mark.parametrize('words', [[], ['execution.trunk_cache=False']], ids=['cached', 'plain'])
def test_a_flattened_frozen_network_trains_is_tested_and_predicts(
        write, run_tool, data_set, words):
    config = write(FLATTENED)
    status, shown, errors = run_tool('train', config, '--cfg-options', *words) if words else \
        run_tool('train', config)
    assert status == 0, errors
    assert ('trunk: the whole backbone' in shown) == (not words)
    run = Path('work_dirs/small/latest')
    record = read_run(run)
    assert record.trainable_parameters == 512 * 16 + 16 + 16 * 5 + 5
    status, _, errors = run_tool('test', config, run / 'best.pth')
    assert status == 0, errors
    assert read_test(run / 'test_test.json').samples == 10
    status, shown, _ = run_tool('predict', config, run / 'best.pth', data_set / 'val_set/rose')
    assert status == 0 and len(shown.splitlines()) == 4


def test_the_class_count_of_a_bare_checkpoint_is_read_from_its_last_layer(
        write, run_tool, tmp_path, data_set):
    config = write(FLATTENED)
    status, _, _ = run_tool('train', config)
    state = torch.load('work_dirs/small/latest/best.pth', weights_only=True)['state_dict']
    torch.save(state, tmp_path / 'bare.pth')
    missing = [f'{part}_dataloader.dataset.data_root=nowhere' for part in ('train', 'val', 'test')]
    status, shown, errors = run_tool('predict', config, tmp_path / 'bare.pth',
                                     data_set / 'val_set/rose/0.png', '--cfg-options', *missing)
    assert status == 0, errors
    assert len(shown.split()) == 1 + 2 * 5


@pytest.mark.parametrize(('text', 'expected'), [
    (FLATTENED.replace('512', '25088'), ['25088', '128 x 2 x 2 = 512', 'in_channels=512']),
    (FLATTENED.replace('neck=None, ', ''), ['512', '128 features', 'model.neck=None']),
    ('head=dict(in_channels=2048)', ['LinearClsHead', '128 features']),
    ('neck=None', ['LinearClsHead', '128 x 2 x 2', 'GlobalAveragePooling']),
])
@pytest.mark.parametrize('words', [[], ['--dry-run']], ids=['run', 'dry run'])
def test_features_that_do_not_fit_the_head_are_two_lines_and_no_run(
        write, run_tool, text, expected, words):
    status, _, errors = run_tool('train', write(text), *words)
    assert status == 2 and len(errors.splitlines()) == 2, errors
    assert all(word in errors for word in expected), errors
    assert not Path('work_dirs').exists()


def test_a_misspelt_or_unknown_argument_of_the_head_is_two_lines(write, run_tool):
    status, _, errors = run_tool('train', write(FLATTENED.replace('dropout', 'dropuot')))
    assert status == 2 and 'dropuot' in errors and '`dropout`' in errors
    assert len(errors.splitlines()) == 2


CHILD = '''
_base_ = [{base!r}]
model = dict({rest})
'''


@pytest.mark.parametrize(('base', 'rest', 'trainable', 'total'), [
    # Two dense layers on a ResNet50, the last convolution with its norm re-opened:
    # 512 x 2048 + 2 x 2048 in the backbone, 2048 x 512 + 512 + 512 x 200 + 200 in the head.
    ('resnet50', "frozen_stages='all', trainable=('layer4.2.conv3', 'layer4.2.bn3'), "
     "head=dict(type='DenseHead', hidden_channels=(512, ))", 1_052_672 + 1_151_688,
     23_508_032 + 1_151_688),
    # Pooled, dropout, one dense layer.
    ('vgg16', "frozen_stages='all', head=dict(type='DenseHead', dropout=0.5)", 102_600,
     14_714_688 + 102_600),
    ('densenet121', "frozen_stages='all', head=dict(type='DenseHead', dropout=0.5)", 205_000,
     6_953_856 + 205_000)])
def test_a_child_changes_a_bases_head_in_a_line(tmp_path, base, rest, trainable, total):
    path = tmp_path / 'child.py'
    path.write_text(CHILD.format(base=str(ROOT / f'configs/_base_/models/{base}.py'), rest=rest))
    section = load_config(path).config['model']
    options = {key: section.pop(key) for key in ('frozen_stages', 'trainable')}
    del section['pretrained'], section['pretrained_head']
    section['head']['num_classes'] = 200
    model = build_classifier(section)
    freeze(model.backbone, **options)
    assert count_parameters(model) == (trainable, total)


def test_a_vgg_with_its_own_classifier_keeps_the_layout_that_it_can_flatten():
    with torch.device('meta'):
        models = [build_classifier(dict(
            type='ImageClassifier', backbone=dict(type='VGG', depth=11, num_classes=classes),
            head=dict(type='ClsHead'))) for classes in (-1, 3)]
    policy = ExecutionPolicy()
    layouts = [policy.place(model).backbone.features[0].conv.weight.is_contiguous(
        memory_format=torch.channels_last) for model in models]
    assert layouts == [True, False]


@pytest.mark.slow
@torch.no_grad()
def test_a_vgg_with_its_own_classifier_runs_as_mmpretrain_ships_it():
    model = build_classifier(dict(
        type='ImageClassifier', backbone=dict(type='VGG', depth=11, num_classes=3),
        head=dict(type='ClsHead'))).eval()
    image = torch.randn(1, 3, 224, 224)
    expected = model(image)
    assert torch.equal(ExecutionPolicy().place(model)(image), expected)
    with pytest.raises(RuntimeError, match='view size'):  # else the exception can go
        model.to(memory_format=torch.channels_last)(image)
