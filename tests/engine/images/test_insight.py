"""What a test explains is what the network computes, and the report shows it."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from generated import write_small_config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

from amlnn.engine.images.insight import grad_cam
from amlnn.engine.train import TrainOptions, train
from amlnn.results.insight import read_insight
from amlnn.results.store import read_predictions

CLASSES = 3


def classifier(backbone, width, neck='GlobalAveragePooling'):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(dict(
            type='ImageClassifier', backbone=backbone, neck=neck and dict(type=neck),
            head=dict(type='LinearClsHead', num_classes=CLASSES, in_channels=width)))
    model.init_weights()
    torch.nn.init.normal_(model.head.fc.weight)
    return model.eval()


def test_behind_average_pooling_and_a_linear_head_it_is_the_weighted_map():
    model = classifier(dict(type='ResNet', depth=18), 512)
    images = torch.randn(4, 3, 64, 64)
    classes = [0, 2, 1, 1]
    seen = grad_cam(model, images, classes)
    with torch.no_grad():
        features = model.backbone(images)[-1]
    for image, label in enumerate(classes):
        # A pooled linear score is sum_c w_c mean(A_c): its slope is w_c / (H W) everywhere.
        expected = np.zeros(features.shape[2:])
        for channel, weight in enumerate(model.head.fc.weight[label].detach().numpy()):
            expected += weight * features[image, channel].numpy()
        expected = expected.clip(0)
        np.testing.assert_allclose(seen[image].numpy(), expected / max(expected.max(), 1e-12),
                                   atol=1e-4)


def test_no_weight_changes_and_none_keeps_a_gradient():
    model = classifier(dict(type='ResNet', depth=18), 512)
    before = copy.deepcopy(model.state_dict())
    grad_cam(model, torch.randn(2, 3, 32, 32), [0, 1])
    assert all(torch.equal(before[name], each) for name, each in model.state_dict().items())
    assert all(each.grad is None for each in model.parameters())


def test_a_backbone_that_gives_vectors_has_no_map():
    model = classifier(dict(type='VisionTransformer', arch='deit-tiny', img_size=32, patch_size=16),
                       192, neck=None)
    assert grad_cam(model, torch.randn(1, 3, 32, 32), [0]) is None


@pytest.fixture(scope='module')
def run(tmp_path_factory, data_set):
    folder = tmp_path_factory.mktemp('insight')
    config = write_small_config(folder / 'small.py', data_set, '', epochs=1)
    return config, train(TrainOptions(config, work_dir=folder / 'runs'))


def test_a_test_keeps_what_it_explains_and_the_report_shows_it(run, run_tool, tmp_path):
    config, folder = run
    status, _, errors = run_tool('test', config, folder / 'best.pth', '--split', 'val', '--explain')
    assert status == 0, errors
    found, predictions = read_insight(folder / 'insight_val.npz'), read_predictions(
        folder / 'predictions_val.npz')
    (pca, ) = found.maps
    assert len(pca.points) == len(predictions.ids)
    assert sorted(pca.labels) == sorted(predictions.labels)
    assert pca.wrong.sum() == (~predictions.correct).sum()
    mistakes = min(12, int((~predictions.correct).sum()))
    assert len(found.looked) == mistakes > 0
    sure = dict(zip(predictions.ids, predictions.probs.max(axis=1), strict=True))
    assert [sure[each.id] for each in found.looked] == sorted(
        (sure[each.id] for each in found.looked), reverse=True)
    for each in found.looked:
        place = predictions.ids.tolist().index(each.id)
        assert (each.label, each.predicted) == (predictions.labels[place],
                                                predictions.predicted[place])
        assert each.view.dtype == np.uint8 and each.view.std() > 0
        assert each.for_predicted.min() >= 0 and each.for_predicted.max() <= 1
    status, _, errors = run_tool('report', folder, '--out', tmp_path / 'page')
    assert status == 0, errors
    page = (tmp_path / 'page' / 'index.html').read_text()
    assert 'Where it looked' in page and 'How its features lie' in page
    assert {path.name.partition('_')[2] for path in (tmp_path / 'page').glob('*.png')} >= {
        'small_map_pca.png', 'small_looked.png'}


def test_a_test_without_it_leaves_nothing_of_an_earlier_one(run, run_tool):
    config, folder = run
    run_tool('test', config, folder / 'best.pth', '--split', 'val', '--explain')
    assert (folder / 'insight_val.npz').is_file()
    run_tool('test', config, folder / 'best.pth', '--split', 'val')
    assert not (folder / 'insight_val.npz').exists()


@pytest.mark.parametrize('fault', ['cut', 'another shape', 'not finite', 'no such class'])
def test_a_damaged_file_is_said_on_the_page(run, run_tool, tmp_path, fault):
    config, folder = run
    run_tool('test', config, folder / 'best.pth', '--split', 'val', '--explain')
    path = folder / 'insight_val.npz'
    with np.load(path) as stored:
        arrays = dict(stored)
    if fault == 'another shape':
        arrays['map_pca'] = arrays['map_pca'][:3]
    if fault == 'not finite':
        arrays['seen_for_label'][0, 0, 0] = np.nan
    if fault == 'no such class':
        arrays['map_label'][0] = -1
    np.savez(path, **arrays)
    if fault == 'cut':
        path.write_bytes(path.read_bytes()[:200])
    status, _, errors = run_tool('report', folder, '--out', tmp_path / 'page')
    assert status == 0, errors
    page = (tmp_path / 'page' / 'index.html').read_text()
    assert 'insight_val.npz' in page and 'Where it looked' not in page


def test_views_that_are_averaged_and_forecasts_have_nothing_to_explain(run, run_tool):
    config, folder = run
    status, _, errors = run_tool('test', config, folder / 'best.pth', '--explain', '--tta')
    assert status == 2 and errors.startswith('error: --explain')
    assert Path(folder / 'best.pth').is_file()
