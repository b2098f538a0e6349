"""One pass gives the pooled output of every stage, is kept, goes on after a stop, is checked."""

import numpy as np
import pytest
import torch
from generated import write_data_set, write_series, write_series_config, write_small_config
from mmengine.dataset import default_collate
from PIL import Image

from amlnn.config.load import load_config
from amlnn.data.images.views import View
from amlnn.engine.images import feature_pass
from amlnn.engine.images.feature_pass import FeaturePass
from amlnn.engine.kinds import open_task
from amlnn.errors import ConfigError, DataError, UsageError
from amlnn.openvino_library import openvino_version

pytestmark = pytest.mark.usefixtures('own_cache')

STAGES = ['stem', 'layer1', 'layer2', 'layer3', 'layer4']


@pytest.fixture
def small(write_config, tmp_path):
    """Opens a pass of a child of the small config, with overrides."""

    def open_(*options: str, text: str = '') -> FeaturePass:
        child = tmp_path / 'child.py'
        child.write_text(f'_base_ = {str(write_config())!r}\n{text}\n')
        return FeaturePass(open_task(load_config(child, options), 'cpu'))

    return open_


def by_hooks(one: FeaturePass, dataset, rows, view: int = 0) -> dict[str, np.ndarray]:
    """What hooks see of the model's own forward, averaged over positions."""
    seen, backbone = {}, one.model.backbone

    def hook(name):
        return lambda layer, given, result: seen.__setitem__(name, result.mean((2, 3)).numpy())

    places = {'stem': backbone.maxpool, **{name: getattr(backbone, name) for name in STAGES[1:]}}
    handles = [module.register_forward_hook(hook(name)) for name, module in places.items()]
    with torch.no_grad():
        batch = default_collate([dataset[View(row, view)] for row in rows])
        head = one.model.extract_feat(one.model.data_preprocessor(batch, False)['inputs'])
    for handle in handles:
        handle.remove()
    return {**seen, 'head': head[-1].numpy()}


@pytest.mark.parametrize('part', ['train', 'val', 'test'])
def test_every_stage_is_that_of_the_models_own_forward(small, part):
    one = small()
    found = one.of(part)
    dataset = one._loader(one._plan(part), part).dataset
    expected = by_hooks(one, dataset, range(len(dataset)))
    assert list(found.stages) == STAGES and len(found.ids) == {'train': 40, 'val': 20, 'test': 10}[
        part]
    for name, features in found.stages.items():
        assert features.dtype == np.float32
        np.testing.assert_allclose(features, expected[name], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.features, expected['head'], rtol=1e-3, atol=1e-4)


def test_training_images_are_seen_as_they_are_tested(small, data_set):
    one = small()
    found = one.of('train')
    steps = [type(step).__name__ for step in
             one._loader(one._plan('train'), 'train').dataset.leaves[0].pipeline.transforms]
    own = [type(step).__name__ for step in one._loader(
        one._plan('val'), 'val').dataset.leaves[0].pipeline.transforms]
    assert steps == own
    lines = (data_set / 'train.txt').read_text().splitlines()
    assert found.ids == [f'training_set/{line.rpartition(" ")[0]}' for line in lines]
    assert found.labels.tolist() == [int(line.rpartition(' ')[2]) for line in lines]
    assert found.labels.dtype == np.int64
    assert found.classes == (data_set / 'classes.txt').read_text().split()


def test_a_second_pass_reads_what_the_first_computed(small):
    first, second = small().of('train'), small().of('train')
    assert (first.computed, second.computed) == (40, 0)
    for name in STAGES:
        assert np.array_equal(first.stages[name], second.stages[name])


def test_without_every_stage_the_last_alone_is_given_from_the_same_pass(small):
    whole, last = small().of('val'), FeaturePass(small().task).of('val', every_stage=False)
    assert list(last.stages) == STAGES[-1:] and last.computed == 0
    assert np.array_equal(whole.features, last.features)


def test_a_pass_that_was_interrupted_goes_on_where_it_stopped(small):
    def stop(done, total):
        assert total == 40
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small().of('train', on_batch=stop)
    told = []
    found = small().of('train', on_batch=lambda done, total: told.append(done))
    assert found.computed == 20 and told == [10, 20, 30, 40]
    fresh = small('model.backbone.norm_eval=True')  # the same numbers under another key
    assert np.allclose(found.features, fresh.of('train').features)


@pytest.mark.parametrize('options', [
    ['randomness.seed=1'], ['execution.fold_batch_norm=False'],
    ['model.data_preprocessor.mean=[0,0,0]', 'model.data_preprocessor.std=[9,9,9]']])
def test_features_of_other_weights_scales_or_arithmetic_are_never_taken(small, options):
    small().of('val')
    assert small(*options).of('val').computed == 20
    assert small().of('val').computed == 0


def test_features_of_other_images_are_never_taken(tmp_path):
    root = write_data_set(tmp_path / 'data')
    config = write_small_config(tmp_path / 'own.py', root)
    first = FeaturePass(open_task(load_config(config), 'cpu')).of('val', every_stage=False)
    for path in sorted((root / 'val_set').rglob('*.png'))[:1]:
        path.write_bytes(sorted((root / 'test_set').rglob('*.png'))[-1].read_bytes())
    second = FeaturePass(open_task(load_config(config), 'cpu')).of('val', every_stage=False)
    assert second.computed == len(second.ids)
    changed = (first.features != second.features).any(1)
    assert changed[0] and not np.allclose(first.features[0], second.features[0])
    assert np.allclose(first.features[1:], second.features[1:])


def test_views_of_training_images_are_those_of_their_own_pipeline(small):
    text = ("train_dataloader = dict(dataset=dict(pipeline=[dict(type='LoadImageFromFile'), "
            "dict(type='RandomCrop', crop_size=32), dict(type='PackInputs')]))")
    tested, first, second = (small(text=text).of('train', view=view) for view in range(3))
    assert not np.allclose(tested.features, first.features)
    assert not np.allclose(first.features, second.features)
    one = small(text=text)
    dataset = one._loader(one._plan('train', own=True), 'train').dataset
    np.testing.assert_allclose(second.features, by_hooks(one, dataset, range(40), 1)['head'],
                               rtol=1e-3, atol=1e-4)


def test_an_image_that_a_wrapper_repeats_comes_once(small):
    text = ("train_dataloader = dict(dataset=dict(_delete_=True, type='RepeatDataset', times=3, "
            'dataset={{_base_.train_dataloader.dataset}}))')
    assert len(set(small(text=text).of('train').ids)) == 40 == len(small(text=text).of('train').ids)


def test_many_features_lie_in_a_file_and_not_in_memory(small, monkeypatch):
    plain = small().of('train')
    monkeypatch.setattr(feature_pass, 'HELD', 1000)
    mapped = small().of('train')
    assert all(isinstance(each, np.memmap) for each in mapped.stages.values())
    assert not any(isinstance(each, np.memmap) for each in plain.stages.values())
    assert all(np.array_equal(plain.stages[name], mapped.stages[name]) for name in STAGES)


@pytest.mark.skipif(not openvino_version(), reason='OpenVINO is not installed')
def test_openvino_gives_the_same_to_its_tolerance(small):
    plain = small("execution.trunk_engine='torch'").of('val')
    other = small("execution.trunk_engine='openvino'").of('val')
    assert 'OpenVINO' in ''.join(other.notes) and other.computed == 20
    for name in STAGES:
        np.testing.assert_allclose(plain.stages[name], other.stages[name], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize('backbone', [
    "type='VisionTransformer', arch='deit-t', img_size=32, patch_size=8",
    "type='SwinTransformer', arch='tiny', img_size=64, pad_small_map=True",
    "type='PlainCNN', channels=(8, 16)"])
def test_maps_tokens_and_vectors_are_averaged_over_positions(small, backbone):
    one = small(text=f"model = dict(backbone=dict(_delete_=True, {backbone}), neck=None, "
                "head=dict(_delete_=True, type='LinearClsHead', in_channels=8), "
                'frozen_stages=-1)')
    found = one.of('val')
    dataset = one._loader(one._plan('val'), 'val').dataset
    with torch.no_grad():
        batch = default_collate([dataset[View(row, 0)] for row in range(20)])
        given = one.model.extract_feat(one.model.data_preprocessor(batch, False)['inputs'])[-1]
    expected = given.mean((2, 3)) if given.ndim == 4 else given
    np.testing.assert_allclose(found.features, expected.numpy(), rtol=1e-3, atol=1e-4)
    assert len(found.stages) > 1
    assert all(each.ndim == 2 and np.isfinite(each).all() and each.std(0).any()
               for each in found.stages.values())


@pytest.mark.parametrize('fold', [True, False])
def test_features_that_are_not_finite_are_named_and_not_kept(small, fold):
    for _ in range(2):
        one = small(f'execution.fold_batch_norm={fold}')
        one.model.backbone.layer3[0].conv1.weight.data[0] = torch.inf
        with pytest.raises(DataError, match=r'features of `val_set/\S+` are not finite from layer3'
                           ) as raised:
            one.of('val')
        assert raised.value.hint


def test_a_forecaster_has_no_features_of_images(tmp_path):
    config = write_series_config(tmp_path / 's.py', write_series(tmp_path / 's.csv'))
    with pytest.raises(UsageError, match='kind `forecasting`') as raised:
        FeaturePass(open_task(load_config(config), 'cpu')).of('train', every_stage=False)
    assert raised.value.hint


def test_without_a_validation_part_nothing_says_how_images_are_tested(small):
    with pytest.raises(ConfigError, match='no `val_dataloader`') as raised:
        small(text='val_dataloader = None\nval_evaluator = None\nval_cfg = None\n'
              "default_hooks = dict(checkpoint=dict(save_best=None))")
    assert raised.value.hint


def test_a_part_that_is_not_there_is_said(small):
    one = small(text='test_dataloader = None\ntest_evaluator = None\ntest_cfg = None')
    with pytest.raises(ConfigError, match='no `test_dataloader`'):
        one.of('test')


def test_images_of_several_sizes_are_two_lines(small, tmp_path):
    root = write_data_set(tmp_path / 'data')
    path = sorted((root / 'val_set').rglob('*.png'))[0]
    Image.fromarray(np.zeros((30, 50, 3), np.uint8)).save(path)
    steps = "[dict(type='LoadImageFromFile'), dict(type='PackInputs')]"
    with pytest.raises(ConfigError, match='the features of the val part fails') as raised:
        small(f'data={str(root)!r}', text=f'val_dataloader = dict(dataset=dict(pipeline={steps}))'
              ).of('val')
    assert raised.value.hint
