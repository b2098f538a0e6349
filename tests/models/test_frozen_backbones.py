"""What is frozen does not move by a byte, and what is not does, for every backbone and value."""

import pytest
import torch
from backbone_samples import BACKBONES, SCRATCH, STUDIED, classifier, images, side_of, structure
from mmpretrain.models.backbones import InceptionV3
from torch import nn

from amlnn.models.images.freezing import freeze, stage_table
from amlnn.models.images.stages import STEM, Stage, list_stages

SMALL = ('VGG11', 'DenseNet-narrow', 'MobileNetV3-small', 'ResNet18V2')

# Trainable tensors that no gradient reaches, whatever is frozen. So far every tensor gets one.
WITHOUT_GRADIENT: dict[str, set[str]] = {}


def values_of(name: str) -> list[int | str]:
    """Every value of frozen_stages that a backbone takes."""
    stages = list_stages(structure(name))
    first = 0 if stages[0].name == STEM else 1
    return [-1, *range(first, len(stages) + first), 'all']


def frozen_part(stages: list[Stage], value: int | str) -> list[Stage]:
    """The stages that a value of frozen_stages names, counted once more, by hand."""
    if value == 'all':
        return stages
    return stages[:value + 1] if stages[0].name == STEM else stages[:max(value, 0)]


def cases() -> list:
    return [pytest.param(name, value, 2 if name in SMALL else 20, id=f'{name}-{value}',
                         marks=() if name in (*SMALL, 'SimpleCNN') else pytest.mark.slow)
            for name in (*SMALL, *STUDIED, *SCRATCH) for value in values_of(name)]


def train(model: nn.Module, given: torch.Tensor, steps: int) -> set[str]:
    """Steps with everything that could move a frozen weight; names that got a gradient."""
    reached = set()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=0.1)
    for step in range(steps):
        model.train()
        # As a hook, another backbone's train() or a user's line might leave it.
        for module in model.modules():
            module.training = True
        torch.manual_seed(step)
        labels = torch.arange(len(given)) % 3
        loss = nn.functional.cross_entropy(model(given + 0.1 * torch.randn_like(given)), labels)
        loss.backward()
        reached |= {name for name, each in model.named_parameters() if each.grad is not None}
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # random networks' gradients explode
        optimizer.step()
        optimizer.zero_grad()
        assert torch.isfinite(loss)
    return reached


def bytes_of(tensor: torch.Tensor) -> bytes:
    return tensor.detach().contiguous().numpy().tobytes()


@pytest.mark.parametrize(('name', 'value', 'steps'), cases())
def test_no_byte_of_what_is_frozen_moves_and_everything_else_does(name, value, steps):
    torch.manual_seed(0)
    model = classifier(BACKBONES[name]())
    frozen = frozen_part(list_stages(model.backbone), value)
    freeze(model.backbone, value)
    before = {key: bytes_of(tensor) for key, tensor in model.state_dict().items()}
    reached = train(model, images(3, side_of(name)), steps)
    inside = {key for key in before if key.startswith('backbone.')
              and any(stage.holds(key.removeprefix('backbone.')) for stage in frozen)}
    assert bool(inside) == (value != -1)
    after = {key: bytes_of(tensor) for key, tensor in model.state_dict().items()}
    assert [key for key in inside if after[key] != before[key]] == []
    trainable = {key for key, each in model.named_parameters() if each.requires_grad}
    assert trainable == {key for key, _ in model.named_parameters()} - inside
    assert trainable - reached == WITHOUT_GRADIENT.get(name, set())
    buffers = {key for key, _ in model.backbone.named_buffers(prefix='backbone')} - inside
    assert [key for key in reached | buffers if after[key] == before[key]] == []


def test_every_studied_backbone_is_put_to_every_value():
    given = {}
    for case in cases():
        given.setdefault(case.values[0], []).append(case.values[1])
    assert set(given) == {*SMALL, *STUDIED, *SCRATCH}
    assert given['VGG16'] == [-1, 1, 2, 3, 4, 5, 'all']
    assert given['InceptionV4'] == [-1, 0, 1, 2, 3, 'all']
    assert given['MobileNetV3-large'] == [-1, 0, 1, 2, 3, 4, 5, 'all']


@pytest.mark.parametrize('name', [*STUDIED, *SCRATCH])
def test_the_table_of_stages_adds_up_to_the_backbone(name):
    model = nn.Module()
    model.backbone = structure(name)
    freeze(model.backbone, 2)
    rows = stage_table(model)
    assert sum(row.total_parameters for row in rows) == sum(
        each.numel() for each in model.backbone.parameters())
    assert all(row.trainable_parameters == (0 if row.frozen else row.total_parameters)
               for row in rows)
    frozen = [row.name for row in rows if row.frozen]
    assert [name for name in frozen if name != STEM] == [row.name for row in rows
                                                        if row.name != STEM][:2]


def test_mmpretrains_inception_with_its_auxiliary_head_freezes_by_the_same_stages():
    with torch.device('meta'):
        backbone = InceptionV3(num_classes=3, aux_logits=True)
    freeze(backbone, 2)
    opened = {name.split('.')[0] for name, each in backbone.named_parameters()
              if each.requires_grad}
    assert opened == {'Mixed_7a', 'Mixed_7b', 'Mixed_7c', 'AuxLogits', 'fc'}
