import copy

import pytest
import torch
from backbone_samples import SAMPLES, SCRATCH, STUDIED, classifier, images, sample, side_of
from mmpretrain.structures import DataSample
from torch import nn

from amlnn.models.images import folding
from amlnn.models.images import trunk as trunk_module
from amlnn.models.images.freezing import freeze
from amlnn.models.images.stages import list_stages
from amlnn.models.images.trunk import Trunk, extract_from, split_point
from amlnn.models.images.trunk_key import trunk_key

pytestmark = pytest.mark.slow

# Batch norms that read a sum, a concatenation or a pooled map, and fold into nothing: of each block
# of a ResNetV2 the first, of each layer of a DenseNet too and its transitions', and the last one.
# And those behind a convolution that pads by the size of its image, as TensorFlow does: the five
# that halve the map of an EfficientNet-Lite.
UNFOLDED = {'ResNet18V2': 8 + 1, 'ResNet50V2': 16 + 1, 'ResNet101V2': 33 + 1,
            'DenseNet-narrow': 9 + 3 + 1, 'DenseNet121': 58 + 3 + 1, 'EfficientNet-Lite0': 5}
LABELS = [DataSample().set_gt_label(label) for label in (0, 1, 2, 0)]


def frozen(frozen_stages='all', trainable=(), **rest) -> nn.Module:
    """A classifier, frozen, in train mode as MMEngine's loop has it."""
    model = classifier(**rest)
    freeze(model.backbone, frozen_stages, trainable)
    return model.train()


def seen(model: nn.Module, module: nn.Module, images_BCHW: torch.Tensor) -> torch.Tensor:
    """What a module gives while the classifier itself runs in eval mode, stages unheard of."""
    outputs = []
    handle = module.register_forward_hook(lambda *call: outputs.append(call[2]))
    modes = model.training
    with torch.no_grad():
        model.eval()(images_BCHW)
    model.train(modes)
    handle.remove()
    (output,) = outputs
    return output[0] if isinstance(output, tuple) else output


def difference(value: torch.Tensor, reference: torch.Tensor) -> float:
    return ((value.double() - reference.double()).norm() / reference.double().norm()).item()


@pytest.mark.parametrize(('frozen_stages', 'trainable', 'expected'), [
    (-1, (), 0), (0, (), 1), (1, (), 2), (3, (), 4), (4, (), 5), ('all', (), 5),
    ('all', ('conv1',), 0), ('all', ('layer2.0.conv1',), 2), (3, ('layer3.1.bn2',), 3)])
def test_the_split_stands_before_the_first_stage_with_anything_trainable(
        frozen_stages, trainable, expected):
    assert split_point(frozen(frozen_stages, trainable)) == expected


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize('name', SAMPLES)
def test_in_fp32_without_folding_the_trunk_is_the_partial_forward_to_the_bit(name, layout):
    model, given = classifier(sample(name)).to(memory_format=layout), images(side=side_of(name))
    freeze(model.backbone, 'all')
    stages = list_stages(model.backbone)
    for split in (1, len(stages) - 1):
        last = model.backbone.get_submodule(stages[split - 1].modules[-1])
        trunk = Trunk(model, split, 'fp32', fold=False)
        assert torch.equal(trunk(given), seen(model, last, given))
        assert trunk.difference == 0
    whole = Trunk(model, None, 'fp32', fold=False)
    assert whole.pooled and torch.equal(whole(given), seen(model, model.neck, given))


@pytest.mark.parametrize('name', SAMPLES)
def test_folding_takes_every_batch_norm_behind_a_convolution_and_keeps_the_features(name):
    model, given = classifier(sample(name)), images(side=side_of(name))
    freeze(model.backbone, 'all')
    norms = sum(isinstance(each, nn.BatchNorm2d) for each in model.backbone.modules())
    exact, folded = Trunk(model, fold=False), Trunk(model, fold=True)
    assert exact.folded == 0 and (norms > 0 or name in (
        'VGG11', 'VGG16', 'VGG19', 'SimpleCNN'))
    if name == 'ResNeSt':  # its shapes depend on its input: it cannot be traced, and stays exact
        assert folded.folded == 0 and torch.equal(folded(given), exact(given))
        return
    left = UNFOLDED.get(name, 0)
    assert folded.folded == norms - left and folded.fused and not exact.fused
    assert sum(isinstance(each, nn.BatchNorm2d) for each in folded.body.modules()) == left
    assert difference(folded(given), exact(given)) < 1e-4
    assert 0 < folded.difference < 1e-4


@pytest.mark.parametrize('name', [*STUDIED, *SCRATCH])
def test_in_bfloat16_the_features_of_a_studied_backbone_differ_by_rounding_alone(name):
    model, given = classifier(sample(name)), images(side=side_of(name))
    freeze(model.backbone, 'all')
    trunk = Trunk(model, precision='bf16')
    with torch.autocast('cpu', torch.bfloat16):
        rounded = seen(model, model.neck, given)
    reference = seen(model, model.neck, given)
    assert 0 < difference(trunk(given), reference) < 1.5 * difference(rounded, reference)


@pytest.mark.parametrize(('precision', 'fold'), [('bf16', True), ('bf16', False), ('fp16', True)])
@pytest.mark.parametrize('name', [
    'ResNetV1d', pytest.param('SEResNet', marks=pytest.mark.slow)])
def test_reduced_precision_differs_by_no_more_than_autocast_does(name, precision, fold):
    model = classifier(sample(name))
    freeze(model.backbone, 3)
    reference = seen(model, model.backbone.layer3, images())
    with torch.autocast('cpu', torch.bfloat16):
        autocast = difference(seen(model, model.backbone.layer3, images()), reference)
    trunk = Trunk(model, precision=precision, fold=fold)
    features = trunk(images())
    assert features.dtype == trunk.dtype == {'bf16': torch.bfloat16, 'fp16': torch.float16}[
        precision]
    assert 0 < difference(features, reference) < 1.5 * autocast
    assert 0 < trunk.difference < 0.05


def test_a_fold_that_comes_out_wrong_is_not_used(monkeypatch):
    def shifted(convolution, norm):
        fused = torch.nn.utils.fusion.fuse_conv_bn_eval(convolution, norm)
        fused.bias.data += 0.1
        return fused

    monkeypatch.setattr(folding, 'fuse_conv_bn_eval', shifted)
    model = frozen(3)
    trunk = Trunk(model, fold=True)
    assert trunk.folded == 0
    assert torch.equal(trunk(images()), Trunk(model, fold=False)(images()))


@pytest.mark.parametrize('breakage', ['wrong', 'gone'])
def test_a_fusion_that_comes_out_wrong_or_is_not_there_is_not_used(breakage, monkeypatch):
    def broken(self, x, residual=None):
        if breakage == 'gone':
            raise AttributeError('no such operator')
        return torch.ones(1) + torch.ops.mkldnn._convolution_pointwise(
            x, self.weight, self.bias, *self.places, 'none', [], '')

    monkeypatch.setattr(folding._FusedConvolution, 'forward', broken)
    model = frozen(0)
    trunk = Trunk(model)
    assert trunk.folded == 1 and not trunk.fused
    assert difference(trunk(images()), Trunk(model, fold=False)(images())) < 1e-5


def test_a_wholly_frozen_classifier_gives_vectors_and_the_head_takes_them():
    model = frozen('all')
    trunk = Trunk(model, precision='bf16')
    vectors = trunk(images())
    torch.testing.assert_close(vectors, seen(model, model.neck, images()), rtol=0.05, atol=0.01)
    assert trunk.pooled and vectors.shape == (4, 512) and vectors.dtype == torch.float32
    assert extract_from(model, vectors, 5)[0] is vectors


@pytest.mark.parametrize('neck', [
    None, dict(type='LinearNeck', in_channels=2048, out_channels=512)])
def test_other_necks_stay_in_the_tail(neck):
    model = frozen('all', neck=neck)
    features = Trunk(model, fold=False)(images())
    assert features.shape == (4, 512, 2, 2)
    model.eval()
    given, expected = extract_from(model, features, 5), model.extract_feat(images())
    assert all(torch.equal(*pair) for pair in zip(given, expected, strict=True))


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(('frozen_stages', 'trainable'), [
    (0, ()), (2, ()), (3, ()), ('all', ()), ('all', ('layer4.1.conv2', 'layer4.1.bn2'))])
def test_loss_and_gradients_of_the_tail_are_those_of_the_whole_model(
        frozen_stages, trainable, layout):
    whole = frozen(frozen_stages, trainable).to(memory_format=layout)
    split = copy.deepcopy(whole)
    expected = whole.loss(images(), LABELS)['loss']
    expected.backward()
    trunk = Trunk(split, fold=False)
    features = extract_from(split, trunk(images()), split_point(split))
    loss = split.head.loss(features, LABELS)['loss']
    loss.backward()
    assert torch.equal(loss, expected)
    trained = 0
    for (name, theirs), ours in zip(whole.named_parameters(), split.parameters(), strict=True):
        assert (theirs.grad is None) == (ours.grad is None), name
        if ours.grad is not None:
            trained += 1
            torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-6, atol=1e-7)
    assert trained >= 2
    # Running statistics too: the tail's move alike, the frozen ones not at all.
    for (name, theirs), ours in zip(whole.named_buffers(), split.buffers(), strict=True):
        assert torch.equal(ours, theirs), name


def test_what_is_frozen_inside_the_tail_stays_in_eval_mode_whatever_calls_train():
    model = frozen('all', ('layer4.1.conv2',))
    trunk = Trunk(model, fold=False)
    before = copy.deepcopy(model.backbone.state_dict())
    model.train()
    model.head.loss(extract_from(model, trunk(images()), 4), LABELS)['loss'].backward()
    after = model.backbone.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in after.items())


def test_predictions_from_features_are_the_models_own():
    model = frozen(3).eval()
    expected = model.predict(images())
    with torch.no_grad():
        features = extract_from(model, Trunk(model, fold=False)(images()), 4)
        given = model.head.predict(features)
    assert all(torch.equal(a.pred_score, b.pred_score) for a, b in zip(given, expected,
                                                                       strict=True))


@pytest.mark.parametrize('frozen_stages', [3, 'all'])
def test_the_tail_trains_under_autocast_as_the_whole_model_does(frozen_stages):
    model = frozen(frozen_stages)
    trunk = Trunk(model, precision='bf16')
    with torch.autocast('cpu', torch.bfloat16):
        expected = copy.deepcopy(model).loss(images(), LABELS)['loss']
        features = extract_from(model, trunk(images()), split_point(model))
        loss = model.head.loss(features, LABELS)['loss']
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=0.03)
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters()
               if parameter.requires_grad)


def test_features_of_lower_precision_are_raised_for_a_float32_tail():
    model = frozen(3).eval()
    low = Trunk(model, precision='bf16')(images())
    (given,) = extract_from(model, low, 4)
    assert given.dtype == torch.float32
    assert torch.equal(given, extract_from(model, low.float(), 4)[0])


def test_an_autocast_around_the_trunk_changes_nothing():
    trunk = Trunk(frozen(3), precision='fp32', fold=False)
    with torch.autocast('cpu', torch.bfloat16):
        inside = trunk(images())
    assert torch.equal(inside, trunk(images()))


def test_a_trunk_is_a_copy_and_building_it_changes_nothing():
    model = frozen(3)
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    trunk = Trunk(model, precision='bf16', fold=False)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    first = trunk(images())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    assert torch.equal(trunk(images()), first)
    assert not any(parameter.requires_grad for parameter in trunk.parameters())
    # The tail's weights, here three quarters of the whole, are not copied.
    sizes = [sum(each.numel() for each in part.parameters()) for part in (trunk, model.backbone)]
    assert sizes[0] < 0.3 * sizes[1]


def test_a_batch_in_parts_gives_every_image_its_own_features(monkeypatch):
    fast, exact = Trunk(frozen(1)), Trunk(frozen(1), fold=False)
    sizes = []
    fast.body.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
    monkeypatch.setattr(trunk_module, '_PART_PIXELS', 3 * 48 * 48 + 5)
    features = fast(images(8))
    assert sizes == [3, 3, 2]
    assert features.is_contiguous(memory_format=torch.channels_last)
    assert difference(features, exact(images(8))) < 1e-5


@pytest.mark.parametrize('split', [0, 3, 6])
def test_a_split_that_is_not_there_or_behind_something_trainable_is_refused(split):
    with pytest.raises(ValueError, match=f'split is {split}, not 1 to 2'):
        Trunk(frozen(1), split)


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match='int8'):
        Trunk(frozen(1), precision='int8')


@pytest.mark.slow
def test_a_compiled_trunk_gives_the_same_features():
    model = frozen(1)
    compiled = Trunk(model, compile=True)
    assert difference(compiled(images()), Trunk(model)(images())) < 1e-5


def set_stride(model):
    model.backbone.layer2[0].conv1.stride = (1, 1)


def set_epsilon(model):
    model.backbone.layer1[0].bn1.eps *= 2


def flip_weight_bit(model):
    bits = model.backbone.layer3[1].conv2.weight.data.view(torch.int32)
    bits[5, 4, 1, 2] ^= 1


def flip_buffer_bit(model):
    bits = model.backbone.layer2[0].downsample[1].running_var.view(torch.int32)
    bits[7] ^= 1


def swap_activation(model):
    model.backbone.layer2[0].relu = nn.ReLU6()


def swap_weights(model):
    """The same tensors at each other's place."""
    first, second = model.backbone.layer1[0], model.backbone.layer1[1]
    first.conv1, second.conv1 = second.conv1, first.conv1


@pytest.mark.parametrize('change', [
    set_stride, set_epsilon, flip_weight_bit, flip_buffer_bit, swap_activation, swap_weights],
    ids=lambda change: change.__name__)
def test_the_key_changes_with_whatever_changes_the_features(change):
    model = frozen(3)
    before = trunk_key(model, 4, 'bf16', True)
    change(model)
    assert trunk_key(model, 4, 'bf16', True) != before


def test_the_key_changes_with_split_precision_folding_layout_and_pooling():
    model = frozen('all')
    keys = [trunk_key(model, *choice) for choice in (
        (5, 'bf16', True), (4, 'bf16', True), (5, 'fp32', True), (5, 'bf16', False))]
    keys.append(trunk_key(frozen('all', neck=None), 5, 'bf16', True))
    keys.append(trunk_key(model.to(memory_format=torch.channels_last), 5, 'bf16', True))
    assert len(set(keys)) == 6
    assert all(len(key) == 64 for key in keys)


def test_the_key_stays_while_the_tail_trains_and_in_another_mode():
    model = frozen(3)
    before = trunk_key(model, 4, 'bf16', True)
    with torch.no_grad():
        for parameter in (*model.backbone.layer4.parameters(), *model.head.parameters()):
            parameter.add_(1)
    assert trunk_key(model.eval(), 4, 'bf16', True) == before
    assert trunk_key(copy.deepcopy(model), 4, 'bf16', True) == before
