"""Parameter counts of study B, against Keras's, which the report gives.

Keras counts the moving mean and variance of a batch norm to a network's total; torch keeps them as
buffers. What else differs is said beside each network.
"""

from functools import partial
from unittest.mock import patch

import pytest
import torch
from backbone_samples import structure
from generated import ROOT
from mmpretrain.models import build_classifier
from torch import nn

from amlnn.config.load import load_config
from amlnn.models.images.freezing import freeze
from amlnn.models.parameters import count_parameters
from amlnn.registry import MODEL_KEYS

CLASSES = 200


def from_base(name: str) -> nn.Module:
    """The classifier of a base config with 200 classes, wholly frozen."""
    section = load_config(ROOT / f'configs/_base_/models/{name}.py').config['model']
    for key in MODEL_KEYS:
        section.pop(key, None)
    section['head']['num_classes'] = CLASSES
    steps = partial(torch.linspace, device='cpu')  # as in backbone_samples.structure
    with torch.device('meta'), patch('torch.linspace', steps):
        model = build_classifier(section)
    freeze(model.backbone, 'all')
    return model


def moving_statistics(model: nn.Module) -> int:
    return sum(2 * each.num_features for each in model.modules()
               if isinstance(each, nn.BatchNorm2d))


@pytest.mark.parametrize(('name', 'expected'), [
    # The report's: 25088 x 200 + 200 are trained.
    ('vgg16_flatten', (5_017_800, 19_732_488)), ('vgg19_flatten', (5_017_800, 25_042_184)),
    # 2048 x 200 + 200; the totals are torchvision's and timm's with their 1000 classes taken off.
    ('resnet50', (409_800, 25_557_032 - 2_049_000 + 409_800)),
    ('resnet101', (409_800, 44_549_160 - 2_049_000 + 409_800)),
    ('resnext50', (409_800, 25_028_904 - 2_049_000 + 409_800)),
    ('resnet50v2', (409_800, 25_549_352 - 2_049_000 + 409_800)),
    ('resnet101v2', (409_800, 44_541_480 - 2_049_000 + 409_800)),
    ('inceptionv3', (409_800, 22_195_368)), ('inceptionv4', (307_400, 41_450_216)),
    ('densenet121', (205_000, 7_158_856)), ('mobilenetv3', (1_486_280, 4_458_232)),
    ('vgg16', (102_600, 14_817_288)), ('vgg16bn', (102_600, 14_825_736)),
    ('vgg19', (102_600, 20_126_984)), ('vgg19bn', (102_600, 20_137_992)),
    ('simple_cnn', (78_600, 134_920)), ('deep_cnn', (102_600, 4_816_808)),
    ('resnet18', (102_600, 11_279_112)),
    # timm's totals with their 1000 classes taken off, 1280 x 1000 + 1000.
    ('efficientnet_lite0', (256_200, 4_652_008 - 1_281_000 + 256_200)),
    ('efficientnet_lite1', (256_200, 5_416_680 - 1_281_000 + 256_200)),
    ('efficientnet_lite2', (256_200, 6_092_072 - 1_281_000 + 256_200))])
def test_a_bases_counts_with_200_classes_are(name, expected):
    assert count_parameters(from_base(name)) == expected


@pytest.mark.parametrize('name', ['VGG16', 'VGG19'])
def test_a_flattened_vgg_has_the_features_that_the_head_takes(name):
    # An image of 224 pixels gives 512 maps of 7 x 7.
    with torch.device('meta'):
        (features,) = structure(name)(torch.empty(1, 3, 224, 224))
    head = from_base(f'{name.lower()}_flatten').head
    assert features.flatten(1).shape[1] == 25_088 == head.in_channels == head.fc.in_features


# Blocks of each stage, and the channels they give. Keras has a bias in the first convolution, in
# the shortcuts and in the last convolution of every block, timm has none.
RESNETS_V2 = {'ResNet50V2': ((3, 4, 6, 3), 23_974_600), 'ResNet101V2': ((3, 4, 23, 3), 43_036_360)}
WIDTHS = (256, 512, 1024, 2048)


@pytest.mark.parametrize('name', RESNETS_V2)
def test_resnet_v2s_total_is_the_reports_less_biases_and_moving_statistics(name):
    blocks, reported = RESNETS_V2[name]
    model = from_base(name.lower())
    trainable, total = count_parameters(model)
    assert trainable == 409_800
    biases = 64 + sum(WIDTHS) + sum(count * width for count, width in
                                    zip(blocks, WIDTHS, strict=True))
    assert total + biases + moving_statistics(model) == reported


def test_inception_v3s_total_is_the_reports_plus_scales_less_moving_statistics():
    # Keras's batch norms have no scale there, torch's have.
    model = from_base('inceptionv3')
    trainable, total = count_parameters(model)
    assert trainable == 409_800
    scales = sum(each.num_features for each in model.modules()
                 if isinstance(each, nn.BatchNorm2d))
    assert scales == 17_216
    assert total - scales + moving_statistics(model) == 22_212_584


@pytest.mark.parametrize(('name', 'expected'), [
    ('ResNet50', 25_557_032), ('ResNet101', 44_549_160), ('ResNeXt', 25_028_904),
    ('DenseNet121', 7_978_856), ('VGG16', 138_357_544), ('VGG16-BN', 138_365_992),
    ('VGG19', 143_667_240), ('VGG19-BN', 143_678_248), ('MobileNetV3-large', 5_483_032),
    ('InceptionV3', 27_161_264), ('InceptionV4', 42_679_816)])
def test_a_backbone_with_its_papers_head_has_the_published_count(name, expected):
    # torchvision's documentation and timm's, with the 1000 classes of ImageNet.
    heads = {'VGG': 512 * 49 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 1000 + 1000,
             'MobileNetV3-large': 960 * 1280 + 1280 + 1280 * 1000 + 1000,
             # With the auxiliary head: two convolutions with their norms, one dense layer.
             'InceptionV3': 2048 * 1000 + 1000 + 768 * 128 + 2 * 128 + 128 * 768 * 25 + 2 * 768
             + 768 * 1000 + 1000, 'DenseNet121': 1024 * 1000 + 1000, 'InceptionV4': 1536 * 1000
             + 1000}
    head = heads.get(name.split('1')[0] if name.startswith('VGG') else name, 2048 * 1000 + 1000)
    backbone = structure(name)
    assert sum(each.numel() for each in backbone.parameters()) + head == expected
