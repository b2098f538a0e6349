"""torchvision's and timm's weights, converted, give torchvision's and timm's features."""

import re
from collections.abc import Callable

import pytest
import timm
import torch
import torchvision
from backbone_samples import (
    BACKBONES,
    channels_of,
    classifier,
    images,
    scrambled,
    side_of,
    structure,
)
from mmpretrain.models.backbones import VGG, DenseNet, MobileNetV3
from mmpretrain.registry import MODELS

from amlnn.errors import WeightsError
from amlnn.models.images.conversion import convert
from amlnn.models.images.folding import relative_difference
from amlnn.models.images.weights import count_head_classes, load_pretrained


def of_torchvision(name: str, **options) -> Callable[..., torch.nn.Module]:
    return lambda classes=3: torchvision.models.get_model(
        name, weights=None, num_classes=classes, **options)


def of_timm(name: str) -> Callable[..., torch.nn.Module]:
    return lambda classes=3: timm.create_model(name, num_classes=classes)


# A backbone, and networks of other libraries with the same layers.
SOURCES: list[tuple[str, str, Callable[..., torch.nn.Module]]] = [
    ('ResNet50', 'torchvision', of_torchvision('resnet50')),
    ('ResNet50', 'timm', of_timm('resnet50')),
    ('ResNet101', 'torchvision', of_torchvision('resnet101')),
    ('ResNet18V2', 'timm', of_timm('resnetv2_18')),
    ('ResNet50V2', 'timm', of_timm('resnetv2_50')),
    ('ResNet101V2', 'timm', of_timm('resnetv2_101')),
    ('ResNeXt', 'torchvision', of_torchvision('resnext50_32x4d')),
    ('DenseNet121', 'torchvision', of_torchvision('densenet121')),
    ('DenseNet121', 'timm', of_timm('densenet121')),
    ('VGG11', 'torchvision', of_torchvision('vgg11', init_weights=False)),
    ('VGG16', 'torchvision', of_torchvision('vgg16', init_weights=False)),
    ('VGG16', 'timm', of_timm('vgg16')),
    ('VGG16-BN', 'torchvision', of_torchvision('vgg16_bn', init_weights=False)),
    ('VGG19', 'torchvision', of_torchvision('vgg19', init_weights=False)),
    ('VGG19-BN', 'torchvision', of_torchvision('vgg19_bn', init_weights=False)),
    ('MobileNetV3-large', 'torchvision', of_torchvision('mobilenet_v3_large')),
    ('InceptionV3', 'torchvision', of_torchvision('inception_v3', init_weights=False)),
    ('InceptionV3', 'timm', of_timm('inception_v3')),
    ('InceptionV4', 'timm', of_timm('inception_v4')),
]
QUICK = {'ResNet18V2', 'DenseNet121', 'MobileNetV3-large', 'InceptionV3'}


def features(network: torch.nn.Module, images_BCHW: torch.Tensor) -> torch.Tensor:
    """What another library's network computes before it pools."""
    if hasattr(network, 'forward_features'):
        return network.forward_features(images_BCHW)
    layer = getattr(network, 'features', None)
    if layer is None:
        # ResNet's last stage; for Inception, its last mixed block.
        layer = getattr(network, 'layer4', None) or network.Mixed_7c
    seen = []
    handle = layer.register_forward_hook(lambda *call: seen.append(call[2]))
    network(images_BCHW)
    handle.remove()
    (output,) = seen
    if isinstance(network, torchvision.models.DenseNet):
        output = output.relu()  # applied outside of `features`
    return output


@torch.no_grad()
@pytest.mark.parametrize(('name', 'make'), [
    pytest.param(name, make, id=f'{name}-{library}', marks=() if name in QUICK and
                 library == ('timm' if 'V2' in name else 'torchvision') else pytest.mark.slow)
    for name, library, make in SOURCES])
def test_converted_weights_give_the_features_of_the_network_they_are_from(name, make, tmp_path):
    torch.manual_seed(3)
    network = scrambled(make()).eval()
    path = tmp_path / 'weights.pth'
    torch.save(network.state_dict(), path)
    model = classifier(BACKBONES[name]())
    loaded = load_pretrained(model, path)
    weights = [each for each in model.backbone.state_dict() if 'num_batches' not in each]
    assert loaded.matched == loaded.total == len(weights) > 15
    given = images(2, side_of(name))
    expected = features(network, given)
    assert expected.shape[1] == channels_of(model.backbone) and expected.abs().max() > 0
    (mine,) = model.backbone(given)
    assert relative_difference(mine, expected) < 1e-5


# Heads of several layers, as the base configs have none: hidden layers as wide as the library's.
STACKED = {
    'VGG': dict(type='DenseHead', in_channels=25088, hidden_channels=(4096, 4096), dropout=0.5),
    'MobileNetV3': dict(type='StackedLinearClsHead', in_channels=960, mid_channels=[1280],
                        dropout_rate=0.2, act_cfg=dict(type='HSwish'))}


def with_head_of(name: str, classes: int) -> torch.nn.Module:
    model = classifier(BACKBONES[name](), classes=classes)
    section = next((STACKED[start] for start in STACKED if name.startswith(start)), None)
    if section:
        model.head = MODELS.build(dict(section, num_classes=classes))
        if name.startswith('VGG'):
            model.neck = None
    return model.eval()


@torch.no_grad()
@pytest.mark.slow
@pytest.mark.parametrize(('name', 'make'), [
    pytest.param(name, make, id=f'{name}-{library}') for name, library, make in SOURCES
    if (name, library) != ('VGG16', 'timm')])  # its dense layers are convolutions of 7 x 7
def test_with_the_head_the_scores_are_those_of_the_network_too(name, make, tmp_path):
    torch.manual_seed(3)
    network = scrambled(make(classes=1000)).eval()
    path = tmp_path / 'weights.pth'
    torch.save(network.state_dict(), path)
    model = with_head_of(name, 1000)
    load_pretrained(model, path, head=True)
    given = images(2, 224 if name.startswith('VGG') else side_of(name))
    scores = model(given)
    assert scores.shape == (2, 1000)
    assert relative_difference(scores, network(given)) < 1e-5


@pytest.mark.parametrize(('head', 'message', 'hint'), [
    (dict(type='LinearClsHead', in_channels=960),
     'has 2 dense layers, LinearClsHead has 1', 'hidden_channels=(1280,)'),
    (dict(type='DenseHead', in_channels=960, hidden_channels=(640,)),
     r'of shape \(1280, 960\), where `model.head` has \(640, 960\)', 'pretrained_head=False'),
    (dict(type='ClsHead'), 'ClsHead has no dense layer', 'pretrained_head=False')])
def test_a_head_of_other_layers_is_refused(head, message, hint, tmp_path):
    path = tmp_path / 'weights.pth'
    torch.save(of_torchvision('mobilenet_v3_large')().state_dict(), path)
    model = classifier(BACKBONES['MobileNetV3-large']())
    model.head = MODELS.build(head if head['type'] == 'ClsHead' else dict(head, num_classes=3))
    with pytest.raises(WeightsError, match=message) as caught:
        load_pretrained(model, path, head=True)
    assert hint in caught.value.hint


@pytest.mark.parametrize('head', [
    dict(type='DenseHead', in_channels=64, hidden_channels=(7, 6), num_classes=3),
    dict(type='StackedLinearClsHead', in_channels=64, mid_channels=[7, 6], num_classes=3)],
    ids=lambda head: head['type'])
@pytest.mark.parametrize('order', [list, sorted, lambda names: sorted(names, reverse=True)],
                         ids=['as saved', 'alphabetical', 'reversed'])
def test_a_checkpoint_of_ones_own_gives_its_head_back_in_whichever_order(head, order, tmp_path):
    def made(seed: int) -> torch.nn.Module:
        torch.manual_seed(seed)
        return MODELS.build(dict(type='ImageClassifier', backbone=dict(type='PlainCNN'),
                                 neck=dict(type='GlobalAveragePooling'), head=head))
    state = made(1).state_dict()
    torch.save({name: state[name] for name in order(state)}, tmp_path / 'best.pth')
    model = made(2)
    load_pretrained(model, tmp_path / 'best.pth', head=True)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_the_classes_of_a_head_are_counted_by_its_last_layer():
    with torch.device('meta'):
        for make in (of_torchvision('vgg11', init_weights=False), of_timm('inception_v4'),
                     of_timm('resnetv2_18'), of_torchvision('resnet18'),
                     of_torchvision('mobilenet_v3_small'), of_torchvision('densenet121')):
            assert count_head_classes(make(classes=17).state_dict()) == 17
        assert count_head_classes(DenseNet('121').state_dict()) is None


def test_every_studied_backbone_has_a_network_it_is_compared_with():
    from backbone_samples import STUDIED
    assert set(STUDIED) <= {name for name, _, _ in SOURCES}


def test_the_names_in_torchvisions_published_densenet_files_are_known():
    # Since 2017 they have a dot in the layers' names, which torchvision takes out when it loads.
    with torch.device('meta'):
        network, backbone = torchvision.models.densenet121(), DenseNet('121')
    state = network.state_dict()
    published = {re.sub(r'(denselayer\d+\.(?:norm|conv))([12])', r'\1.\2', name): tensor
                 for name, tensor in state.items()}
    assert 'features.denseblock1.denselayer1.norm.1.weight' in published
    assert convert(published, backbone).keys() == convert(state, backbone).keys()
    assert backbone.state_dict().keys() <= convert(published, backbone).keys()


@pytest.mark.parametrize('name', BACKBONES)
@pytest.mark.parametrize('prefix', ['', 'backbone.'])
def test_a_backbones_own_names_stay_as_they_are(name, prefix):
    backbone = structure(name)
    state = backbone.state_dict()
    assert convert({prefix + key: value for key, value in state.items()}, backbone) == state


@pytest.mark.parametrize(('backbone', 'source', 'example'), [
    pytest.param(lambda: VGG(16), of_torchvision('vgg16_bn', init_weights=False), 'features',
                 id='norm', marks=pytest.mark.slow),
    pytest.param(lambda: VGG(16), of_torchvision('vgg19', init_weights=False), 'features',
                 id='depth', marks=pytest.mark.slow),
    pytest.param(lambda: DenseNet('121'), of_torchvision('densenet169'), 'stages',
                 id='depth of DenseNet', marks=pytest.mark.slow),
    pytest.param(lambda: MobileNetV3('small'), of_torchvision('mobilenet_v3_large'), 'layer',
                 id='width'),
    # Its blocks compute the same; their names would have to be converted.
    pytest.param(lambda: MobileNetV3('large'), of_timm('mobilenetv3_large_100'), 'layer',
                 id="timm's"),
    pytest.param(BACKBONES['ResNet50V2'], of_torchvision('resnet50'), 'timm_model',
                 id='version', marks=pytest.mark.slow),
    pytest.param(BACKBONES['InceptionV3'], of_timm('inception_v4'), 'Conv2d_1a_3x3',
                 id='version of Inception', marks=pytest.mark.slow)])
def test_weights_of_a_near_relative_are_refused(backbone, source, example, tmp_path):
    path = tmp_path / 'weights.pth'
    torch.save(source().state_dict(), path)
    with pytest.raises(WeightsError, match=rf'fits \d+ of the \d+ tensors.*`{example}'):
        load_pretrained(classifier(backbone()), path)
