"""The networks that the studies train from scratch, layer for layer."""

import pytest
import torch
from generated import ROOT
from mmpretrain.models import build_classifier
from torch import nn

from amlnn.config.load import load_config
from amlnn.errors import ConfigError
from amlnn.models.images.cnn import PlainCNN
from amlnn.models.parameters import count_parameters


def from_base(name: str, classes: int) -> nn.Module:
    section = load_config(ROOT / f'configs/_base_/models/{name}.py').config['model']
    section = {key: section[key] for key in ('type', 'backbone', 'neck', 'head') if key in section}
    section['head']['num_classes'] = classes
    model = build_classifier(section)
    model.init_weights()
    return model


def by_hand() -> nn.Sequential:
    """Study E's simple CNN, written down from the report's list."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, 100))


@torch.no_grad()
def test_the_simple_cnn_is_the_reports_layer_for_layer():
    model, reference = from_base('simple_cnn', 100).eval(), by_hand()
    reference.load_state_dict(dict(zip(reference.state_dict(), model.state_dict().values(),
                                       strict=True)))
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(model(images), reference(images))


def test_the_simple_cnn_has_the_parameters_of_hand_arithmetic():
    layers = [3 * 3 * 3 * 32 + 32, 3 * 3 * 32 * 64 + 64, 3 * 3 * 64 * 64 + 64,
              4 * 4 * 64 * 64 + 64, 64 * 100 + 100]
    assert layers == [896, 18_496, 36_928, 65_600, 6_500]
    assert count_parameters(from_base('simple_cnn', 100)) == (128_420, 128_420)


@torch.no_grad()
def test_the_deep_cnn_is_groups_of_two_convolutions_with_batch_norm_pooled():
    model = from_base('deep_cnn', 200).eval()
    layers, inputs = [], 3
    for outputs in (32, 64, 128, 256, 512):
        for channels in (inputs, outputs):
            layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
                       nn.BatchNorm2d(outputs), nn.ReLU()]
        layers.append(nn.MaxPool2d(2) if outputs < 512 else nn.AdaptiveAvgPool2d(1))
        inputs = outputs
    reference = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.5), nn.Linear(512, 200)).eval()
    reference.load_state_dict(dict(zip(reference.state_dict(), model.state_dict().values(),
                                       strict=True)))
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(model(images), reference(images))
    assert model.backbone(images)[0].shape == (2, 512, 4, 4)
    pairs = zip((3, 32, 64, 128, 256), (32, 64, 128, 256, 512), strict=True)
    expected = sum(9 * (inputs + outputs) * outputs + 4 * outputs for inputs, outputs in pairs)
    assert count_parameters(model)[1] == expected + 512 * 200 + 200 == 4_816_808


def test_convolutions_begin_as_keras_glorot_uniform_with_biases_zero():
    torch.manual_seed(0)
    model = from_base('simple_cnn', 100)
    for group, inputs, outputs in zip(model.backbone.groups, (3, 32, 64), (32, 64, 64),
                                      strict=True):
        limit = (6 / (9 * inputs + 9 * outputs)) ** 0.5
        weight = group[0].weight
        assert 0.98 * limit < weight.abs().max() <= limit
        assert weight.std().item() == pytest.approx(limit / 3 ** 0.5, rel=0.05)
        assert not group[0].bias.any()


def kinds(**options) -> list[str]:
    return [type(layer).__name__ for group in PlainCNN(**options).groups for layer in group]


def test_every_argument_changes_the_network():
    plain = ['Conv2d', 'ReLU', 'MaxPool2d', 'Conv2d', 'ReLU', 'MaxPool2d', 'Conv2d', 'ReLU']
    assert kinds() == plain
    assert kinds(channels=(8, 8)) == plain[3:]
    assert kinds(convolutions=2) == [*2 * plain[:2], 'MaxPool2d',
                                     *2 * plain[:2], 'MaxPool2d', *2 * plain[:2]]
    assert kinds(channels=(8,), batch_norm=True) == ['Conv2d', 'BatchNorm2d', 'ReLU']
    image = torch.zeros(1, 1, 32, 32)
    assert PlainCNN(in_channels=1)(image)[0].shape == (1, 64, 4, 4)
    assert PlainCNN(in_channels=1, padding=1)(image)[0].shape == (1, 64, 8, 8)
    assert PlainCNN(batch_norm=True).groups[0][0].bias is None


@pytest.mark.parametrize('options', [
    dict(channels=()), dict(channels=(8, 0)), dict(convolutions=0), dict(padding=-1),
    dict(in_channels=0)])
def test_an_argument_out_of_range_is_an_error(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        PlainCNN(**options)
