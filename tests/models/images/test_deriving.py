"""Stages derived from a forward: small networks of which each does something that a list of modules
does not say."""

import copy

import pytest
import torch
from torch import nn

from amlnn.models.images.freezing import freeze
from amlnn.models.images.probing import image_of
from amlnn.models.images.splicing import Span, UnknownSize, learn_size, run_span
from amlnn.models.images.stages import list_stages, run_stages, why_not_composed


class Tokens(nn.Module):
    """A class token, positions, and a size that blocks are given."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.cls_token = nn.Parameter(torch.randn(1, 1, 8))
        self.positions = nn.Parameter(torch.randn(1, 17, 8))
        self.blocks = nn.ModuleList(Block() for _ in range(3))
        self.norm = nn.LayerNorm(8)
        self.unused = nn.Linear(8, 2)

    def forward(self, x):
        x = self.patches(x)
        size = x.shape[-2:]
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
        x += self.positions  # in place
        for block in self.blocks:
            x = block(x, size)
        return (self.norm(x)[:, 0],)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.wide = nn.Linear(8, 32)
        self.mix = nn.Linear(32, 8)

    def forward(self, x, size):
        height, width = size
        return x + self.mix(self.wide(x).relu()) / (height * width)


class Branches(nn.Module):
    """Two tensors go from step to step, one of them with the batch second."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.steps = nn.ModuleList(Pair() for _ in range(3))

    def forward(self, x):
        x = self.first(x)
        pair = (x, x.mean((2, 3)).unsqueeze(0))
        for step in self.steps:
            pair = step(pair)
        return (pair[0], pair[1])


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.map = nn.Conv2d(4, 4, 1)
        self.vector = nn.Linear(4, 4)

    def forward(self, pair):
        x, vector = pair
        return self.map(x) * vector[0, :, :, None, None], self.vector(vector)


class Skipping(nn.Module):
    """What the first step gives is added behind the last."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(3)))

    def forward(self, x):
        first = self.layers[0](x)
        return (self.layers[2](self.layers[1](first)) + first,)


def built(kind) -> nn.Module:
    torch.manual_seed(0)
    return kind().eval()


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(('kind', 'names'), [
    (Tokens, ['stem', 'stage1', 'stage2', 'stage3']),
    (Branches, ['stem', 'stage1', 'stage2', 'stage3'])])
def test_the_parts_of_a_forward_give_its_bits(kind, names, monkeypatch):
    backbone = sized(built(kind))
    stages = list_stages(backbone)
    assert [stage.name for stage in stages] == names
    assert why_not_composed(backbone, noise(1, 3, 16, 16)) is None
    images = noise(5, 3, 16, 16)
    expected = backbone(images)
    for split in range(1, len(stages)):
        features = run_stages(backbone, stages[:split], images)
        assert len(features) == 5
        given = run_stages(backbone, stages[split:], features)
        given = given if isinstance(given, tuple) else (given,)
        assert len(given) == len(expected) and all(map(torch.equal, given, expected))


def sized(backbone: nn.Module) -> nn.Module:
    backbone.img_size = 16
    return backbone


def test_a_stage_has_what_it_is_first_to_use_and_the_last_what_nothing_uses():
    stages = list_stages(sized(built(Tokens)))
    assert set(stages[0].modules) == {'patches', 'cls_token', 'positions'}
    assert stages[1].modules == ('blocks.0',)
    assert set(stages[-1].modules) == {'blocks.2', 'norm', 'unused'}


def test_several_tensors_are_handed_on_as_one():
    backbone = sized(built(Branches))
    stages = list_stages(backbone)
    features = run_stages(backbone, stages[:2], noise(2, 3, 16, 16))
    assert features.shape == (2, 4 * 16 * 16 + 4)


def test_gradients_reach_what_comes_after_the_beginning_and_nothing_before():
    backbone = sized(built(Tokens))
    stages = list_stages(backbone)
    features = run_stages(backbone, stages[:2], noise(2, 3, 16, 16)).detach()
    run_stages(backbone, stages[2:], features).sum().backward()
    reached = {name for name, each in backbone.named_parameters() if each.grad is not None}
    assert {name.rpartition('.')[0] for name in reached} == {
        'blocks.1.wide', 'blocks.1.mix', 'blocks.2.wide', 'blocks.2.mix', 'norm'}


def test_a_backbone_whose_steps_are_not_all_that_passes_between_them_says_so_and_can_be_frozen():
    backbone = sized(built(Skipping))
    assert 'cannot be split: what it computes before a stage is used after it' in why_not_composed(
        backbone, noise(1, 3, 16, 16))
    freeze(backbone, 1)
    assert [name for name, each in backbone.named_parameters() if each.requires_grad] == [
        'layers.1.weight', 'layers.1.bias', 'layers.2.weight', 'layers.2.bias']


def test_another_size_is_learned_before_a_part_can_begin_in_it():
    backbone = built(Branches)
    backbone.img_size = 16
    stages = list_stages(backbone)
    images = noise(2, 3, 24, 32)
    features = run_stages(backbone, stages[:2], images)
    with pytest.raises(UnknownSize, match='not known of which images'):
        run_stages(backbone, stages[2:], features)
    assert learn_size(backbone, [stages[2].span.first], (3, 24, 32)) is None
    assert all(map(torch.equal, run_stages(backbone, stages[2:], features), backbone(images)))


def test_sizes_that_lead_to_features_of_one_shape_are_refused():
    class Flexible(Tokens):
        def forward(self, x):
            return super().forward(x)

    backbone = sized(built(Flexible))
    stages = list_stages(backbone)
    assert '16 x 16 and of 8 x 32 pixels' in learn_size(
        backbone, [stages[1].span.first], (3, 8, 32))


def test_copies_go_on_from_what_was_learned():
    backbone = sized(built(Tokens))
    stages = list_stages(backbone)
    twin = copy.deepcopy(backbone)
    features = run_stages(backbone, stages[:1], noise(2, 3, 16, 16))
    assert torch.equal(run_span(twin, Span(stages[1].span.first, None), features),
                       run_stages(backbone, stages[1:], features))


def test_nothing_of_a_run_is_left_in_the_modules():
    backbone = sized(built(Tokens))
    stages = list_stages(backbone)
    run_stages(backbone, stages[1:], run_stages(backbone, stages[:1], noise(1, 3, 16, 16)))
    assert not any('forward' in vars(module) for module in backbone.modules())


def test_the_size_of_an_image_is_what_a_backbone_declares_or_a_usual_one():
    assert image_of(sized(built(Tokens))) == (3, 16, 16)
    assert image_of(built(Branches)) == (3, 224, 224)
    assert image_of(built(Tokens)) is None  # 17 positions fit no usual size
