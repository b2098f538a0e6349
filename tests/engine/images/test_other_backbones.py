"""Another backbone is one line of a child config: what was typed for the first follows."""

import re
from pathlib import Path

import pytest
from generated import ROOT, write_data_set

from amlnn.config.load import load_config
from amlnn.records import read_run

BASES = [str(ROOT / 'configs/_base_' / base) for base in (
    'models/resnet50.py', 'datasets/digits.py', 'schedules/sgd_8e.py', 'runtime.py')]


@pytest.fixture(scope='module')
def few_images(tmp_path_factory) -> Path:
    return write_data_set(tmp_path_factory.mktemp('few') / 'data',
                          sizes={'train': 3, 'val': 1, 'test': 1})


def child(folder: Path, backbone: str, more: str = '', rest: str = '') -> Path:
    path = folder / 'child.py'
    path.write_text(f'_base_ = {BASES}\nmodel = dict(backbone=dict(_delete_=True, {backbone})'
                    f'{more})\ntrain_cfg = dict(max_epochs=1)\n{rest}')
    return path


CONVNEXT = "type='TIMMBackbone', model_name='test_convnext'"


def test_a_backbone_is_a_whole_child_config(tmp_path, few_images, run_tool, own_cache):
    from mmpretrain import get_model

    from amlnn.engine.kinds import in_scope
    config = child(tmp_path, CONVNEXT, ', frozen_stages=2')
    data = ('--data', few_images)
    status, output, errors = run_tool('check_config', config, *data)
    assert status == 0, errors
    assert 'resnet50.py:5 is dropped' in output + errors
    work = ('--work-dir', tmp_path / 'runs')
    status, output, errors = run_tool('train', config, *data, *work, '--pretrained', 'none')
    assert status == 0, errors
    assert 'trunk: the stages to stage2' in output
    record = read_run(tmp_path / 'runs' / 'latest')
    assert [stage.name for stage in record.stages] == [
        'stem', 'stage1', 'stage2', 'stage3', 'stage4', 'head']
    assert [stage.frozen for stage in record.stages] == [True] * 3 + [False] * 3
    head = next(stage for stage in record.stages if stage.name == 'head')
    assert head.total_parameters == 5 * (64 + 1)  # features of the last stage, and a bias
    best = tmp_path / 'runs' / 'latest' / 'best.pth'
    status, output, errors = run_tool('test', config, best, *data)
    assert status == 0 and 'top1' in output, errors
    with in_scope(load_config(config).config):  # MMPretrain reads what a run stores, as it is
        model = get_model(str(best.parent / 'config.py'), pretrained=str(best))
    assert model.head.fc.weight.shape == (5, 64)
    image = next(path for path in sorted(few_images.rglob('*')) if path.suffix in ('.jpg', '.png'))
    status, output, errors = run_tool('predict', config, best, image)
    assert status == 0 and image.name in output, errors


@pytest.mark.parametrize(('backbone', 'neck', 'features'), [
    ("type='VisionTransformer', arch='deit-t', img_size=32, patch_size=16", None, 192),
    ("type='TIMMBackbone', model_name='test_vit', img_size=32",
     {'type': 'FeaturePooling', 'take': 'first'}, 64),
    ("type='TIMMBackbone', model_name='test_convnext'", {'type': 'GlobalAveragePooling'}, 64),
    ("type='MobileNetV2'", {'type': 'GlobalAveragePooling'}, 1280)])
def test_pooling_and_features_follow_from_the_backbone(
        backbone, neck, features, tmp_path, monkeypatch):
    from amlnn.engine.build import build
    from amlnn.engine.kinds import in_scope
    from amlnn.models.images import completing
    config = load_config(child(tmp_path, backbone)).config
    section = config['model']
    section['head']['num_classes'] = 2
    found = []
    pooling = completing.pooling_of
    monkeypatch.setattr(completing, 'pooling_of',
                        lambda *given: found.append(pooling(*given)) or found[-1])
    with in_scope(config):
        left_out = completing.follows_from_backbone(section, build, (32, 32))
    assert found == [neck] == [left_out['neck']]
    assert left_out['head']['in_channels'] == features
    assert 'in_channels' not in section['head']


def test_what_contradicts_the_backbone_is_two_lines(tmp_path, few_images, run_tool):
    config = child(tmp_path, CONVNEXT, ', head=dict(in_channels=512)')
    status, _, errors = run_tool('train', config, '--data', few_images, '--pretrained', 'none')
    assert status == 2
    error, hint = errors.strip().splitlines()[-2:]
    assert error.startswith('error: `model.head.in_channels` is 512') and '64' in error
    assert 'model.head.in_channels=64' in hint


def test_size_and_scale_come_from_timms_own_data(tmp_path, few_images, run_tool):
    pipeline = """
_pipeline = [dict(type='LoadImageFromFile'),
             dict(type='ResizeEdge', scale='model', edge='short', interpolation='model'),
             dict(type='CenterCrop', crop_size='model'), dict(type='PackInputs')]
train_dataloader = dict(dataset=dict(pipeline=_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_pipeline))
data_preprocessor = dict(mean='model', std='model')
"""
    config = child(tmp_path, CONVNEXT, rest=pipeline)
    status, output, errors = run_tool('train', config, '--data', few_images, '--pretrained', 'none')
    assert status == 0, errors
    import timm
    known = timm.get_pretrained_cfg('test_convnext')
    said = re.search(r"'model' is (\d+) pixels, (\w+), \(x - \[([\d.]+)", output)
    assert (int(said[1]), said[2], float(said[3])) == (
        known.input_size[1], known.interpolation, pytest.approx(255 * known.mean[0]))


def test_a_child_that_sets_them_keeps_what_it_sets(tmp_path):
    config = load_config(child(
        tmp_path, CONVNEXT, ", pretrained=None, head=dict(in_channels=64), neck=None")).config
    assert config['model']['head']['in_channels'] == 64
    assert config['model']['neck'] is None and config['model']['pretrained'] is None
