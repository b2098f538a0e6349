import copy

import pytest
import torch
from backbone_samples import BACKBONES, SAMPLES, OneStep, images, sample, side_of, structure
from mmpretrain.models.backbones import VGG, InceptionV3, ResNet, TIMMBackbone
from torch import nn

from amlnn.errors import ConfigError
from amlnn.models.images import stages as table
from amlnn.models.images.stages import (
    Stage,
    backbone_kind,
    list_stages,
    run_stages,
    why_no_stages,
    why_not_composed,
)


class Fork(nn.Module):
    """A backbone whose stages are no plain sequences: functional relu, concatenation."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.left, self.right = nn.Conv2d(4, 2, 1), nn.Conv2d(4, 6, 1)

    def forward(self, x):
        x = torch.relu(self.first(x))
        return (torch.cat([self.right(x), self.left(x)], dim=1),)


def fork_row(backbone):
    return [
        Stage('stem', ('first',), lambda fork, x: torch.relu(fork.first(x))),
        Stage('stage1', ('left', 'right'),
              lambda fork, x: torch.cat([fork.right(x), fork.left(x)], dim=1))]


def test_every_row_of_the_table_has_a_sample_that_is_put_to_the_proof():
    samples = set()
    for backbone in map(structure, BACKBONES):
        samples |= {base.__name__ for base in type(backbone).__mro__} | {backbone_kind(backbone)}
    rows = {*table._TABLE, *(f'TIMMBackbone ({name})' for name in table._TIMM_TABLE)}
    assert len(rows) >= 8 and rows <= samples


@torch.no_grad()
@pytest.mark.parametrize('name', SAMPLES)
def test_stages_run_one_after_the_other_are_the_backbones_forward_to_the_bit(name):
    backbone, given = sample(name), images(2, side_of(name))
    stages = list_stages(backbone)
    (expected,) = backbone(given)
    for split in (0, 1, len(stages) - 1):
        features = run_stages(backbone, stages[:split], given)
        assert torch.equal(run_stages(backbone, stages[split:], features), expected)
    assert why_not_composed(backbone, given[:1]) is None


@torch.no_grad()
@pytest.mark.parametrize('name', BACKBONES)
def test_every_tensor_and_every_module_that_runs_lies_in_one_stage(name):
    backbone = structure(name)
    ran, names = [], {}
    for path, module in backbone.named_modules(remove_duplicate=False):
        if path and not list(module.children()):
            names.setdefault(module, []).append(path)
    for module in names:
        module.register_forward_hook(lambda module, *_: ran.append(module))
    backbone(torch.empty(1, 3, side_of(name), side_of(name), device='meta'))
    stages = list_stages(backbone)
    assert len(ran) >= 8
    for path in backbone.state_dict():
        assert sum(stage.holds(path) for stage in stages) == 1, path
    for module in ran:
        owners = [stage for path in names[module] for stage in stages if stage.holds(path)]
        # DenseNet has one relu for its stem and its end.
        assert len(owners) == 1 or (owners and isinstance(module, nn.ReLU)), names[module]


@pytest.mark.parametrize(('name', 'expected'), [
    ('VGG16', ['stage1', 'stage2', 'stage3', 'stage4', 'stage5']),
    ('SimpleCNN', ['stage1', 'stage2', 'stage3']),
    ('DenseNet121', ['stem', 'stage1', 'stage2', 'stage3', 'stage4']),
    ('MobileNetV3-large', ['stem', 'stage1', 'stage2', 'stage3', 'stage4', 'stage5']),
    ('InceptionV3', ['stem', 'stage1', 'stage2', 'stage3']),
    ('InceptionV4', ['stem', 'stage1', 'stage2', 'stage3']),
    ('ResNet50V2', ['stem', 'stage1', 'stage2', 'stage3', 'stage4'])])
def test_a_backbone_has_the_stages_of_its_paper(name, expected):
    assert [stage.name for stage in list_stages(structure(name))] == expected


@pytest.mark.parametrize(('name', 'side', 'expected'), [
    ('VGG16', 224, [(64, 112), (128, 56), (256, 28), (512, 14), (512, 7)]),
    ('DenseNet121', 224, [(64, 56), (128, 28), (256, 14), (512, 7), (1024, 7)]),
    ('MobileNetV3-large', 224, [(16, 112), (16, 112), (24, 56), (40, 28), (112, 14), (960, 7)]),
    ('InceptionV3', 299, [(192, 35), (288, 35), (768, 17), (2048, 8)]),
    ('InceptionV4', 299, [(384, 35), (384, 35), (1024, 17), (1536, 8)]),
    ('ResNet50V2', 224, [(64, 56), (256, 56), (512, 28), (1024, 14), (2048, 7)]),
    ('SimpleCNN', 32, [(32, 15), (64, 6), (64, 4)]),
    ('DeepCNN', 64, [(32, 32), (64, 16), (128, 8), (256, 4), (512, 4)])])
def test_a_stage_ends_in_the_feature_map_that_its_source_gives(name, side, expected):
    backbone = structure(name)
    x = torch.empty(1, 3, side, side, device='meta')
    shapes = []
    for stage in list_stages(backbone):
        x = run_stages(backbone, [stage], x)
        shapes.append((x.shape[1], x.shape[2]))
    assert shapes == expected


def test_stages_that_are_no_plain_sequence_bring_their_own_forward(monkeypatch):
    monkeypatch.setitem(table._TABLE, 'Fork', fork_row)
    fork = Fork()
    assert [stage.name for stage in list_stages(fork)] == ['stem', 'stage1']
    assert torch.equal(run_stages(fork, list_stages(fork), images()), fork(images())[0])
    assert why_not_composed(fork, images(1)) is None


def test_a_row_that_composes_to_something_else_is_found_out(monkeypatch):
    # Without the functional relu and the order of the concatenation.
    monkeypatch.setitem(table._TABLE, 'Fork', lambda fork: [
        Stage('stem', ('first',)), Stage('stage1', ('left', 'right'), fork_row(fork)[1].forward)])
    assert 'Fork is not that of its stages' in why_not_composed(Fork(), images(1))


def test_a_row_that_leaves_out_a_tensor_is_an_error(monkeypatch):
    monkeypatch.setitem(table._TABLE, 'Fork', lambda fork: fork_row(fork)[:1])
    with pytest.raises(ConfigError, match=r'left\.weight'):
        list_stages(Fork())


def test_a_subclass_with_a_forward_of_its_own_is_found_out():
    class Doubled(ResNet):
        def forward(self, x):
            return tuple(2 * out for out in super().forward(x))

    assert 'Doubled' in why_not_composed(Doubled(18), images(1))


@pytest.mark.parametrize(('indices', 'reason'), [
    ((0, 1, 2, 3), '4 feature maps'), ((1, 3), '2 feature maps'),
    ((2,), r'out_indices=(2,)')])
def test_only_a_backbone_that_returns_its_last_stage_alone_can_be_split(indices, reason):
    backbone = ResNet(18, out_indices=indices)
    assert reason in why_not_composed(backbone, images(1))
    # Indeed: what the stages give is not what the neck would be given.
    backbone.eval()
    outputs = backbone(images(1))
    composed = run_stages(backbone, list_stages(backbone), images(1))
    assert len(outputs) > 1 or outputs[0].shape != composed.shape


def test_the_proof_leaves_the_backbone_as_it_was():
    backbone = sample('ResNet18')
    backbone.train()
    backbone.layer1.eval()
    before = copy.deepcopy(backbone.state_dict())
    modes = [module.training for module in backbone.modules()]
    why_not_composed(backbone, images(2))
    assert [module.training for module in backbone.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())


def test_a_backbone_without_a_list_of_steps_has_no_stages():
    backbone = OneStep()
    assert list_stages(backbone) is None
    assert why_no_stages(backbone) == 'its forward has no list of like steps'


@pytest.mark.slow
def test_a_vgg_with_its_classifier_ends_in_it():
    torch.manual_seed(0)
    backbone = VGG(11, num_classes=3)
    assert list_stages(backbone)[-1].holds('classifier.6.weight')
    assert why_not_composed(backbone, images(2, side=224)) is None


def test_mmpretrains_inception_belongs_to_its_stages_and_cannot_be_split():
    with torch.device('meta'):
        backbone = InceptionV3(num_classes=3, aux_logits=True)
    stages = list_stages(backbone)
    assert [stage.name for stage in stages] == ['stem', 'stage1', 'stage2', 'stage3']
    assert all(stages[-1].holds(name) for name in ('AuxLogits.fc.weight', 'fc.weight'))
    assert '2 feature maps' in why_not_composed(
        backbone, torch.empty(1, 3, 96, 96, device='meta'))


@pytest.mark.parametrize('name', ['resnetv2_18', 'inception_v4'])
def test_feature_maps_of_several_stages_cannot_be_split(name):
    backbone = TIMMBackbone(name, features_only=True)
    assert 'cannot be split' in why_not_composed(backbone, images(1, 96))


def test_a_row_may_know_some_variants_of_a_class_only(monkeypatch):
    monkeypatch.setitem(table._TABLE, 'VGG', lambda backbone: None)
    assert list_stages(VGG(11))[0].span is not None  # derived, then
