"""Parameter counts of study B, against Keras's, which the report gives.

Keras counts the moving mean and variance of a batch norm to a network's total; torch keeps them as
buffers. What else differs is said beside each network.
"""

import pytest
import torch
from backbone_samples import structure
from mmpretrain.models import build_classifier
from torch import nn

from amlnn.models.freezing import count_parameters, freeze

CLASSES = 200


def frozen_classifier(name: str, features: int) -> nn.Module:
    with torch.device('meta'):
        model = build_classifier(dict(
            type='ImageClassifier', backbone=dict(type='ResNet', depth=18), head=dict(
                type='LinearClsHead', num_classes=CLASSES, in_channels=features)))
    model.backbone = structure(name)
    freeze(model.backbone, 'all')
    return model


def moving_statistics(model: nn.Module) -> int:
    return sum(2 * each.num_features for each in model.modules()
               if isinstance(each, nn.BatchNorm2d))


@pytest.mark.parametrize(('name', 'total'), [('VGG16', 19_732_488), ('VGG19', 25_042_184)])
def test_vggs_counts_are_the_reports(name, total):
    # An image of 224 pixels gives 512 maps of 7 x 7, which flatten to 25,088 features.
    with torch.device('meta'):
        (features,) = structure(name)(torch.empty(1, 3, 224, 224))
    assert features.flatten(1).shape[1] == 25_088
    assert count_parameters(frozen_classifier(name, 25_088)) == (5_017_800, total)


# Blocks of each stage, and the channels they give. Keras has a bias in the first convolution, in
# the shortcuts and in the last convolution of every block, timm has none.
RESNETS_V2 = {'ResNet50V2': ((3, 4, 6, 3), 23_974_600), 'ResNet101V2': ((3, 4, 23, 3), 43_036_360)}
WIDTHS = (256, 512, 1024, 2048)


@pytest.mark.parametrize('name', RESNETS_V2)
def test_resnet_v2s_total_is_the_reports_less_biases_and_moving_statistics(name):
    blocks, reported = RESNETS_V2[name]
    model = frozen_classifier(name, 2048)
    trainable, total = count_parameters(model)
    assert trainable == 409_800
    biases = 64 + sum(WIDTHS) + sum(count * width for count, width in
                                    zip(blocks, WIDTHS, strict=True))
    assert total + biases + moving_statistics(model) == reported


def test_inception_v3s_total_is_the_reports_plus_scales_less_moving_statistics():
    # Keras's batch norms have no scale there, torch's have.
    model = frozen_classifier('InceptionV3', 2048)
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
