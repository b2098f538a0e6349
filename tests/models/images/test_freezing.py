import copy

import pytest
import torch
from backbone_samples import OneStep
from mmpretrain.models import build_classifier
from mmpretrain.models.backbones import (
    VGG,
    ResNet,
    ResNet_CIFAR,
    ResNetV1c,
    ResNeXt,
    TIMMBackbone,
)

from amlnn.errors import ConfigError
from amlnn.models.images.freezing import freeze, stage_table
from amlnn.models.images.stages import list_stages
from amlnn.models.parameters import count_parameters

# The modules of a ResNet18 that each value leaves trainable, written down by hand.
OPEN = {-1: {'conv1', 'bn1', 'layer1', 'layer2', 'layer3', 'layer4'},
        0: {'layer1', 'layer2', 'layer3', 'layer4'},
        1: {'layer2', 'layer3', 'layer4'}, 2: {'layer3', 'layer4'}, 3: {'layer4'}, 4: set(),
        'all': set()}


def classifier(backbone: dict, channels: int = 512) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_classifier(dict(
        type='ImageClassifier', backbone=backbone, neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=3, in_channels=channels,
                  loss=dict(type='CrossEntropyLoss'))))


def train_steps(model: torch.nn.Module, steps: int = 2) -> None:
    """Steps with everything that could move a frozen weight: momentum, decay, train mode."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    for step in range(steps):
        model.train()
        torch.manual_seed(step)
        scores = model(torch.randn(4, 3, 32, 32))
        torch.nn.functional.cross_entropy(scores, torch.tensor([0, 1, 2, 0])).backward()
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize('frozen_stages', OPEN)
def test_training_changes_no_byte_of_what_is_frozen_and_every_tensor_of_what_is_not(frozen_stages):
    model = classifier(dict(type='ResNet', depth=18))
    freeze(model.backbone, frozen_stages)
    before = copy.deepcopy(model.state_dict())
    train_steps(model)
    for name, value in model.state_dict().items():
        part = name.split('.')[1] if name.startswith('backbone.') else 'head'
        same = torch.equal(value, before[name])
        assert same == (part not in OPEN[frozen_stages] | {'head'}), name


def test_a_frozen_backbone_stays_in_eval_mode_whatever_calls_train():
    model = classifier(dict(type='ResNet', depth=18))
    freeze(model.backbone, 2)
    model.train()
    model(torch.randn(2, 3, 32, 32))
    assert not model.backbone.bn1.training
    assert not model.backbone.layer2[1].bn2.training
    assert model.backbone.layer3[0].bn1.training


def test_freezing_survives_a_deep_copy():
    model = classifier(dict(type='ResNet', depth=18))
    freeze(model.backbone, 'all')
    twin = copy.deepcopy(model)
    before = copy.deepcopy(twin.backbone.state_dict())
    train_steps(twin)
    after = twin.backbone.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in after.items())


def test_trainable_reopens_named_parts_of_frozen_stages_and_nothing_else():
    model = classifier(dict(type='ResNet', depth=18))
    freeze(model.backbone, 'all', trainable=('layer4.1.conv2', 'layer4.1.bn2'))
    before = copy.deepcopy(model.backbone.state_dict())
    train_steps(model)
    changed = {name for name, value in model.backbone.state_dict().items()
               if not torch.equal(value, before[name])}
    tensors = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')
    assert changed == {'layer4.1.conv2.weight', *(f'layer4.1.bn2.{name}' for name in tensors)}


def test_a_prefix_that_matches_half_a_name_is_no_match():
    with pytest.raises(ConfigError, match=r'layer4\.1\.conv') as error:
        freeze(ResNet(18), 'all', trainable=('layer4.1.conv',))
    assert 'layer4.1' in error.value.hint


def test_reopening_what_is_not_frozen_is_an_error():
    with pytest.raises(ConfigError, match='layer4'):
        freeze(ResNet(18), 2, trainable=('layer4',))


@pytest.mark.parametrize('value', [5, -2, 99])
def test_a_number_of_stages_that_is_not_there_is_an_error_naming_the_range(value):
    with pytest.raises(ConfigError, match=f'{value}.*4 stages') as error:
        freeze(ResNet(18), value)
    assert '0 to 4' in error.value.hint


def test_a_backbone_without_stages_can_be_frozen_whole_or_not_at_all():
    freeze(OneStep(), -1)
    backbone = OneStep()
    freeze(backbone, 'all')
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    with pytest.raises(ConfigError, match='`OneStep` has no stages: its forward') as error:
        freeze(OneStep(), 2)
    assert "'all'" in error.value.hint


def test_a_network_of_timms_is_named_with_its_number_of_stages():
    with pytest.raises(ConfigError, match=r'TIMMBackbone \(ResNet\)` has 4 stages'):
        freeze(TIMMBackbone('resnet18'), 5)


def test_vgg_has_no_stem_to_freeze():
    with torch.device('meta'):
        backbone = VGG(16)
    with pytest.raises(ConfigError, match='`VGG` has no stem') as error:
        freeze(backbone, 0)
    assert '-1' in error.value.hint
    with pytest.raises(ConfigError, match='5 stages') as error:
        freeze(backbone, 6)
    assert '1 to 5' in error.value.hint


@pytest.mark.parametrize('backbone', [
    ResNet(18), ResNet(50), ResNetV1c(depth=50), ResNet_CIFAR(18), ResNeXt(50)],
    ids=lambda backbone: type(backbone).__name__)
def test_every_tensor_of_a_backbone_lies_in_exactly_one_stage(backbone):
    stages = list_stages(backbone)
    assert [stage.name for stage in stages] == ['stem', 'layer1', 'layer2', 'layer3', 'layer4']
    names = list(backbone.state_dict())
    assert names
    assert all(sum(stage.holds(name) for stage in stages) == 1 for name in names)


def test_the_stage_table_adds_up_to_the_parameter_counts_of_torchvision():
    from torchvision.models import resnet50
    model = classifier(dict(type='ResNet', depth=50), 2048)
    freeze(model.backbone, 3)
    rows = {row.name: row for row in stage_table(model)}
    reference = resnet50(num_classes=3)
    assert sum(row.total_parameters for row in rows.values()) == sum(
        parameter.numel() for parameter in reference.parameters())
    layer4 = sum(parameter.numel() for parameter in reference.layer4.parameters())
    assert rows['layer4'].trainable_parameters == layer4
    assert rows['layer3'].frozen and not rows['layer4'].frozen
    assert count_parameters(model)[0] == layer4 + 2048 * 3 + 3
