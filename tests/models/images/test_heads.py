"""Heads of dense layers: flattened, pooled, dropped, stacked; and what does not fit them."""

import pytest
import torch
from backbone_samples import classifier, images
from mmpretrain.models import build_classifier
from mmpretrain.structures import DataSample
from torch import nn

from amlnn.errors import ConfigError
from amlnn.models.images.freezing import freeze
from amlnn.models.images.heads import DenseHead, check_head
from amlnn.models.images.trunk import Trunk, extract_from, split_point

MAP = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
LABELS = [DataSample().set_gt_label(label) for label in (0, 2)]


def head(**options) -> DenseHead:
    torch.manual_seed(0)
    made = DenseHead(**{'num_classes': 3, 'in_channels': 60, **options})
    made.init_weights()
    return made.eval()


@torch.no_grad()
def test_a_map_is_flattened_and_multiplied_by_one_matrix():
    dense = head()
    expected = [[sum(float(weight) * float(value) for weight, value in
                     zip(row, image.reshape(-1), strict=True)) for row in dense.fc.weight]
                for image in MAP]
    torch.testing.assert_close(dense((MAP,)), torch.tensor(expected))
    assert dict(dense.named_parameters()).keys() == {'fc.weight', 'fc.bias'}


def test_a_map_in_channels_last_is_flattened_in_the_same_order():
    dense = head(hidden_channels=(7,))
    assert torch.equal(dense((MAP.to(memory_format=torch.channels_last),)), dense((MAP,)))


def test_vectors_are_taken_as_they_are():
    dense = head()
    assert torch.equal(dense((MAP.reshape(2, 60),)), dense((MAP,)))


def test_hidden_layers_have_relu_between_them():
    dense = head(hidden_channels=(7, 5))
    reference = nn.Sequential(nn.Flatten(), nn.Linear(60, 7), nn.ReLU(), nn.Linear(7, 5), nn.ReLU(),
                              nn.Linear(5, 3))
    reference.load_state_dict(dict(zip(reference.state_dict(), dense.state_dict().values(),
                                       strict=True)))
    assert torch.equal(dense((MAP,)), reference(MAP))
    assert torch.equal(dense.pre_logits((MAP,)), reference[:-1](MAP))


def test_dropout_drops_before_the_last_layer_and_in_training_only():
    dense = head(hidden_channels=(1000,), dropout=0.25)
    seen = []
    dense.fc.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    dense((MAP,))
    dense.train()((MAP,))
    kept, dropped = seen
    assert torch.equal(kept, dense.pre_logits((MAP,)))
    alive = kept != 0
    assert (dropped[alive] == 0).float().mean().item() == pytest.approx(0.25, abs=0.04)
    left = alive & (dropped != 0)
    torch.testing.assert_close(dropped[left], kept[left] / 0.75)


def test_weights_begin_as_keras_glorot_uniform_with_biases_zero():
    dense = head(in_channels=400, hidden_channels=(200,), num_classes=100)
    for layer, inputs, outputs in ((dense.hidden[0], 400, 200), (dense.fc, 200, 100)):
        limit = (6 / (inputs + outputs)) ** 0.5
        assert 0.99 * limit < layer.weight.abs().max() <= limit
        assert layer.weight.std().item() == pytest.approx(limit / 3 ** 0.5, rel=0.02)
        assert not layer.bias.any()


def test_the_loss_is_cross_entropy_also_of_mixed_labels_and_another_can_be_named():
    dense = head()
    expected = nn.functional.cross_entropy(dense((MAP,)), torch.tensor([0, 2]))
    assert torch.equal(dense.loss((MAP,), LABELS)['loss'], expected)
    shares = torch.tensor([[0.7, 0.3, 0], [0, 0.2, 0.8]])
    mixed = [DataSample().set_gt_score(share) for share in shares]
    soft = head(loss=dict(type='CrossEntropyLoss', use_soft=True))
    torch.testing.assert_close(soft.loss((MAP,), mixed)['loss'],
                               nn.functional.cross_entropy(dense((MAP,)), shares))
    twice = head(loss=dict(type='CrossEntropyLoss', loss_weight=2.0))
    torch.testing.assert_close(twice.loss((MAP,), LABELS)['loss'], 2 * expected)


def test_predictions_are_the_softmax_of_the_scores():
    dense = head()
    predicted = dense.predict((MAP,), LABELS)
    scores = torch.stack([each.pred_score for each in predicted])
    torch.testing.assert_close(scores, dense((MAP,)).softmax(1))
    assert [int(each.pred_label) for each in predicted] == scores.argmax(1).tolist()


def test_it_trains_in_a_classifier_with_mixup():
    model = build_classifier(dict(
        type='ImageClassifier', backbone=dict(type='PlainCNN'),
        head=dict(type='DenseHead', in_channels=1024, hidden_channels=(8,), num_classes=3,
                  loss=dict(type='CrossEntropyLoss', use_soft=True)),
        data_preprocessor=dict(num_classes=3),
        train_cfg=dict(augments=[dict(type='Mixup', alpha=1.0)])))
    data = model.data_preprocessor(
        dict(inputs=torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8),
             data_samples=LABELS), training=True)
    assert 'gt_score' in data['data_samples'][0]
    model.loss(**data)['loss'].backward()
    assert all(each.grad.abs().sum() > 0 for each in model.head.parameters())


@pytest.mark.parametrize(('options', 'words'), [
    (dict(in_channels=0), 'in_channels'), (dict(num_classes=-1), 'num_classes'),
    (dict(hidden_channels=(8, 0)), 'hidden_channels'), (dict(dropout=1.0), 'dropout'),
    (dict(dropout=-0.1), 'dropout')])
def test_an_argument_out_of_range_is_an_error_that_names_it(options, words):
    with pytest.raises(ConfigError, match=words) as caught:
        head(**options)
    assert caught.value.hint


@pytest.mark.parametrize(('feats', 'message', 'hint'), [
    (torch.zeros(2, 512, 9, 9), '25088.* 512 x 9 x 9 = 41472 features', 'in_channels=41472'),
    (torch.zeros(2, 512), '25088.* as 512 features', 'model.neck=None')])
def test_features_that_do_not_fit_are_an_error_that_says_what_they_are(feats, message, hint):
    dense = head(in_channels=25088)
    with pytest.raises(ConfigError, match=message) as caught:
        dense((feats,))
    assert hint in caught.value.hint


@pytest.mark.parametrize(('kind', 'options'), [
    ('LinearClsHead', {}), ('StackedLinearClsHead', dict(mid_channels=[4]))])
def test_mmpretrains_dense_heads_are_asked_too(kind, options):
    made = build_classifier(dict(
        type='ImageClassifier', backbone=dict(type='PlainCNN'),
        head=dict(type=kind, in_channels=64, num_classes=3, **options))).head
    check_head(made, (torch.zeros(2, 64),))
    with pytest.raises(ConfigError, match=r'64.* as 512 features') as caught:
        check_head(made, (torch.zeros(2, 512),))
    assert caught.value.hint == 'set model.head.in_channels=512'
    with pytest.raises(ConfigError, match=r'64 x 1 x 1') as caught:
        check_head(made, (torch.zeros(2, 64, 1, 1),))
    assert 'GlobalAveragePooling' in caught.value.hint
    check_head(nn.Identity(), (torch.zeros(2, 5),))  # others know for themselves


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_on_a_trunks_features_the_loss_is_that_of_the_whole_model(layout):
    model = classifier(dict(type='VGG', depth=11), neck=None)
    model.head = DenseHead(3, in_channels=512, hidden_channels=(6,))
    model = model.to(memory_format=layout)
    freeze(model.backbone, 'all')
    given, labels = images(2, side=32), LABELS
    trunk = Trunk(model, fold=False)
    features = extract_from(model, trunk(given), split_point(model))
    assert trunk(given).shape == (2, 512, 1, 1) and not trunk.pooled
    assert torch.equal(model.head.loss(features, labels)['loss'], model.loss(given, labels)['loss'])
