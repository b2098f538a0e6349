"""Where a trunk is refused, it would have been wrong, or there was nothing to gain."""

import pytest
import torch
from backbone_samples import OneStep, classifier, images
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn

from amlnn.models.images.freezing import freeze
from amlnn.models.images.stages import list_stages, run_stages
from amlnn.models.images.trunk import Trunk, extract_from, split_point, why_not

pytestmark = pytest.mark.slow

LABELS = [DataSample().set_gt_label(label) for label in (0, 1, 2, 0)]


def train_step(model: nn.Module) -> None:
    """A step as MMEngine takes it: train mode, forward, backward, update."""
    model.train()
    optimizer = torch.optim.SGD([each for each in model.parameters() if each.requires_grad], lr=0.5)
    model.loss(images(), LABELS)['loss'].backward()
    optimizer.step()


@torch.no_grad()
def after_stem(model: nn.Module, count: int = 4) -> torch.Tensor:
    """What a trunk of the first stage alone would have kept."""
    return run_stages(model.backbone, list_stages(model.backbone)[:1], images(count))


def test_a_frozen_classifier_has_no_reason_against_a_trunk():
    model = classifier()
    freeze(model.backbone, 2)
    assert why_not(model) is None
    kept = Trunk(model, fold=False)(images())
    train_step(model)
    assert torch.equal(Trunk(model, fold=False)(images()), kept)


def test_nothing_frozen():
    model = classifier()
    assert why_not(model) == 'nothing is frozen'
    before = after_stem(model)
    train_step(model)
    assert not torch.equal(after_stem(model.eval()), before)


def test_a_trainable_part_in_the_stem():
    model = classifier()
    freeze(model.backbone, 'all', ('conv1',))
    assert why_not(model) == '`conv1.weight` is trainable, in the first stage (stem)'
    before = after_stem(model)
    train_step(model)
    assert not torch.equal(after_stem(model), before)


def test_batch_norms_that_nobody_holds_in_eval_mode():
    model = classifier()
    model.backbone.requires_grad_(False)
    assert why_not(model) == '`bn1` is not held in eval mode, in the first stage (stem)'
    before = after_stem(model)
    train_step(model)
    assert not torch.equal(after_stem(model.eval()), before)


def test_noise_that_nobody_switches_off():
    class Noisy(nn.ReLU):
        def forward(self, x):
            return nn.functional.dropout(x.relu(), training=self.training)

    model = classifier()
    for each in model.backbone.modules():
        if isinstance(each, nn.BatchNorm2d):
            each.momentum = 0.0  # stands still, but for what it normalises by
    model.backbone.bn1, model.backbone.relu = nn.Identity(), Noisy()
    model.backbone.requires_grad_(False)
    assert why_not(model) == '`relu` is not held in eval mode, in the first stage (stem)'
    model.train()
    assert not torch.equal(after_stem(model), after_stem(model))


def test_a_batch_norm_that_looks_at_the_whole_batch():
    model = classifier()
    model.backbone.bn1 = nn.BatchNorm2d(64, track_running_stats=False)
    freeze(model.backbone, 'all')
    assert why_not(model) == \
        '`bn1` normalises each image by its whole batch, in the first stage (stem)'
    # An image's features depend on the images beside it.
    assert not torch.allclose(after_stem(model, 4)[:2], after_stem(model, 2), atol=1e-3)


def test_mmpretrains_own_frozen_stages():
    model = classifier(dict(type='ResNet', depth=18, frozen_stages=1))
    assert 'backbone.frozen_stages=1' in why_not(model)
    # Its modules are put into eval mode once, by train(), and whoever moves them later moves
    # their statistics.
    before = after_stem(model)
    model.train()
    for each in model.modules():
        each.train()
    with torch.no_grad():
        model(images())
    assert not torch.equal(after_stem(model.eval()), before)


def test_a_backbone_without_stages():
    model = classifier(OneStep(), neck=None)
    model.backbone.requires_grad_(False)
    assert why_not(model) == 'OneStep has no stages: its forward has no list of like steps'
    assert split_point(model) == 0  # nothing to compute once


@pytest.mark.parametrize('indices', [(0, 1, 2, 3), (1, 3)])
def test_several_feature_maps(indices):
    model = classifier(dict(type='ResNet', depth=18, out_indices=indices))
    freeze(model.backbone, 'all')
    assert f'{len(indices)} feature maps' in why_not(model)
    given = extract_from(model, Trunk(model, fold=False)(images()), 5)
    assert len(given) == 1 < len(model.extract_feat(images()))


def test_a_stage_that_is_not_the_last():
    model = classifier(dict(type='ResNet', depth=18, out_indices=(2,)))
    freeze(model.backbone, 'all')
    assert 'out_indices=(2,)' in why_not(model)
    given = extract_from(model, Trunk(model, fold=False)(images()), 5)
    assert given[0].shape != model.extract_feat(images())[0].shape


@pytest.mark.parametrize('place', ['', 'backbone', 'backbone.layer1.0.conv1', 'neck'])
@pytest.mark.parametrize('kind', ['register_forward_hook', 'register_forward_pre_hook'])
def test_a_hook_that_the_trunk_would_not_call(place, kind):
    def double(module, inputs, *output):
        changed = output[0] if output else inputs
        return tuple(2 * each for each in changed) if isinstance(changed, tuple) else 2 * changed

    model = classifier()
    freeze(model.backbone, 'all')
    if (place, kind) == ('neck', 'register_forward_pre_hook'):
        def double(module, inputs):
            return (tuple(2 * each for each in inputs[0]),)
    getattr(model.get_submodule(place), kind)(double)
    assert why_not(model).endswith('the forward hook `double`, which a trunk would not call')
    # The classifier's answer has the hook's work in it, the one from a trunk's features has not.
    clean = classifier()
    freeze(clean.backbone, 'all')
    with torch.no_grad():
        kept = extract_from(clean, Trunk(clean, fold=False)(images()), 5)
        assert not torch.allclose(clean.head(kept), model(images()), rtol=1e-3)


def test_a_hook_in_the_tail_is_called_and_no_reason():
    model = classifier()
    freeze(model.backbone, 2)
    calls = []
    model.backbone.layer4.register_forward_hook(lambda *call: calls.append(call))
    assert why_not(model) is None
    calls.clear()
    extract_from(model, Trunk(model)(images()), 3)
    assert len(calls) == 1


def test_batch_augmentations():
    mixup = dict(augments=[dict(type='Mixup', alpha=1.0)])
    model = classifier(train_cfg=mixup, data_preprocessor=dict(num_classes=3))
    freeze(model.backbone, 'all')
    assert 'mixup' in why_not(model)
    torch.manual_seed(0)
    mixed = model.data_preprocessor(
        dict(inputs=images(), data_samples=LABELS), training=True)['inputs']
    trunk = Trunk(model, fold=False)
    # Mixed images have features of their own, which no weighting of the images' features gives.
    pairs = torch.linalg.lstsq(trunk(images()).T, trunk(mixed).T).solution
    assert not torch.allclose(trunk(images()).T @ pairs, trunk(mixed).T, rtol=1e-2)


@pytest.mark.parametrize('method', ['extract_feat', 'loss', 'predict', 'forward'])
def test_a_classifier_that_computes_in_its_own_way(method):
    class Own(ImageClassifier):
        pass

    def doubled(self, inputs, *args, **kwargs):
        return getattr(ImageClassifier, method)(self, 2 * inputs, *args, **kwargs)

    setattr(Own, method, doubled)
    MODELS.register_module(module=Own, force=True)
    model = classifier(kind='Own')
    freeze(model.backbone, 'all')
    assert why_not(model) == f'Own has its own `{method}`'
    model.eval()
    given = extract_from(model, Trunk(model, fold=False)(images()), 5)
    wrong = {'loss': lambda: model.head.loss(given, LABELS)['loss'],
             'extract_feat': lambda: given[0],
             'predict': lambda: model.head.predict(given)[0].pred_score,
             'forward': lambda: model.head(given)}[method]()
    right = {'loss': lambda: model.loss(images(), LABELS)['loss'],
             'extract_feat': lambda: model.extract_feat(images())[0],
             'predict': lambda: model.predict(images())[0].pred_score,
             'forward': lambda: model(images())}[method]()
    assert not torch.allclose(wrong, right, rtol=1e-3)


def test_a_model_that_is_no_classifier():
    assert 'Linear has no backbone' in why_not(nn.Linear(2, 2))
