"""Features are mixed where the head takes them, with the class scores of their images."""

import copy

import numpy as np
import pytest
import torch
from backbone_samples import classifier, images
from mmpretrain.structures import DataSample

from amlnn.errors import ConfigError
from amlnn.models.images.feature_mixup import FeatureMixup, is_mixing_features, mix_features
from amlnn.models.images.freezing import freeze
from amlnn.models.images.trunk import why_not

LABELS = [0, 1, 2, 0]


def mixing(frozen='all', **augments):
    """A classifier that mixes features."""
    augments = augments or dict(augments=dict(type='FeatureMixup', alpha=0.7))
    model = classifier(train_cfg=augments, data_preprocessor=dict(num_classes=3))
    model.head.loss_module.use_soft = True
    model.head.loss_module.cls_criterion = soft
    freeze(model.backbone, frozen)
    mix_features(model)
    return model


def soft(scores_BK, target_BK, *_, avg_factor=None, **__):
    """Cross entropy of class scores, written out."""
    return -(target_BK * scores_BK.log_softmax(1)).sum() / avg_factor


def loss_of(model, seed=3):
    np.random.seed(seed)
    torch.manual_seed(seed)
    samples = [DataSample().set_gt_label(label) for label in LABELS]
    batch = model.data_preprocessor(dict(inputs=images(), data_samples=samples), training=True)
    return model.loss(**batch)['loss']


def test_the_loss_is_that_of_mixed_features_and_scores():
    model = mixing()
    got = loss_of(model)
    np.random.seed(3)
    torch.manual_seed(3)
    np.random.choice(1)  # which of one augmentation
    ratio, order = np.random.beta(0.7, 0.7), torch.randperm(4)
    with torch.no_grad():
        features_BC = model.extract_feat(images())[0]
        scores_BK = torch.eye(3)[LABELS]
        mixed_BC = ratio * features_BC + (1 - ratio) * features_BC[order]
        mixed_BK = ratio * scores_BK + (1 - ratio) * scores_BK[order]
        expected = soft(model.head.fc(mixed_BC), mixed_BK, avg_factor=4)
    assert got.item() == pytest.approx(expected.item(), rel=1e-5)
    assert loss_of(model, seed=4) != got


def test_with_it_there_can_be_a_trunk_and_with_mixup_none():
    model = mixing()
    assert is_mixing_features(model) and why_not(model) is None
    images_mixed = dict(augments=dict(type='Mixup', alpha=0.7))
    whole, part = mixing(**images_mixed), mixing(frozen=2, **images_mixed)
    assert not is_mixing_features(whole) and not is_mixing_features(part)
    assert 'FeatureMixup mixes what' in why_not(whole)  # said where it could be taken
    assert 'mix images' in why_not(part) and 'FeatureMixup' not in why_not(part)


def test_predictions_mix_nothing():
    model = mixing().eval()
    plain = copy.deepcopy(model)
    del plain.head.loss
    one, two = (each.predict(images())[0].pred_score for each in (model, plain))
    assert torch.equal(one, two)


def test_a_copy_mixes_for_its_own_head():
    model = mixing()
    twin = copy.deepcopy(model)
    before = loss_of(twin)
    with torch.no_grad():
        model.head.fc.weight.mul_(2)
    assert loss_of(twin) == before != loss_of(model)
    loss_of(twin).backward()
    assert model.head.fc.weight.grad is None and twin.head.fc.weight.grad is not None


def test_without_probability_it_does_nothing():
    still = mixing(augments=dict(type='FeatureMixup', alpha=0.7), probs=[0.0])
    expected = soft(still.head(still.extract_feat(images())), torch.eye(3)[LABELS], avg_factor=4)
    assert loss_of(still).item() == pytest.approx(expected.item(), rel=1e-5)


def test_what_is_trained_before_the_head_refuses_it():
    with pytest.raises(ConfigError, match=r'`backbone\.layer4\.0\.conv1\.weight` is trained'):
        mixing(frozen=3)


def test_feature_maps_and_an_alpha_out_of_range_are_refused():
    with pytest.raises(ConfigError, match='of 8 x 2 x 2'):
        FeatureMixup(0.7)(torch.zeros(4, 8, 2, 2), torch.eye(4))
    with pytest.raises(ConfigError, match='`alpha`'):
        FeatureMixup(0)
