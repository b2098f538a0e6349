"""Every backbone of MMPretrain and every family of timm: frozen, split, and counted."""

import re

import pytest
import timm
import torch
from every_backbone import moved_by_training, with_and_without_trunk
from generated import ROOT

from amlnn.models.images.survey import (
    build_backbone,
    mmpretrain_names,
    survey,
    timm_names,
)

# A class token and positions, a token of a teacher, several tensors at once, norms between stages,
# a bias that eval mode computes, channels last, an encoder of convolutions.
FEW = ('AlexNet', 'ShuffleNetV2', 'EdgeNeXt', 'LeViT', 'test_convnext', 'deit_tiny_patch16_224',
       'crossvit_tiny_240', 'test_byobnet', 'mobilenetv3_small_050')
ALL = [*mmpretrain_names(), *timm_names().values()]
# With the optimiser's and their own copies, no memory of a usual machine holds these.
TOO_LARGE = ('deepseek_vit_412m', 'mobilenetv5_300m')
TABLE = (ROOT / 'docs' / 'backbones.md').read_text(encoding='utf-8')


def listed() -> dict[str, str]:
    """What the table says is not possible, by backbone."""
    rows = [line.strip('|').split('|') for line in TABLE.splitlines() if line.startswith('| ')]
    return {row[0].split()[0]: row[-1].strip() for row in rows[1:]}


def cases(names, keep=lambda name: True) -> list:
    found = [name for name in names if keep(name)]
    assert found
    return [pytest.param(name, marks=() if name in FEW else pytest.mark.slow) for name in found]


@pytest.mark.parametrize('name', cases(ALL, lambda name: name not in TOO_LARGE and not listed().get(
    name, '').startswith(('cannot be built', 'no size'))))
def test_two_steps_move_no_byte_of_what_is_frozen(name):
    frozen, trainable, moved = moved_by_training(name)
    assert frozen and trainable and not frozen & trainable
    assert frozen & moved == set()
    assert trainable & moved  # something did move


@pytest.mark.parametrize('name', cases(ALL, lambda name: name not in TOO_LARGE
                                       and not listed().get(name)))
def test_from_the_trunk_on_outputs_and_gradients_are_those_of_the_whole(name):
    (outputs, gradients), (from_trunk, gradients_from_trunk) = with_and_without_trunk(name)
    assert outputs and len(outputs) == len(from_trunk)
    assert all(map(torch.equal, outputs, from_trunk))
    assert gradients and set(gradients) == set(gradients_from_trunk)
    assert all(torch.equal(each, gradients_from_trunk[key]) for key, each in gradients.items())


@pytest.mark.parametrize('name', FEW)
def test_the_table_in_the_docs_says_what_a_survey_finds(name):
    (found,) = survey([name])
    row = next(line for line in TABLE.splitlines() if line.startswith(f'| {name} '))
    assert found.reason is None and listed()[name] == ''
    assert f'{found.parameters / 1e6:.1f} M' in row
    assert sum(count for _, count in found.stages) == found.parameters == sum(
        each.numel() for each in build_backbone(name).parameters())


def test_the_table_has_every_backbone_and_enough_of_them_can_be_split():
    rows = listed()
    assert set(ALL) == set(rows)
    for names, least in ((mmpretrain_names(), 0.95), (timm_names().values(), 0.9)):
        assert sum(not rows[name] for name in names) >= least * len(names) > 50
    counts = [int(each) for each in re.findall(r'(\d+) of (\d+) of', TABLE)[0]]
    assert counts == [sum(not rows[name] for name in mmpretrain_names()), len(mmpretrain_names())]


def test_every_module_of_timm_has_its_family():
    assert set(timm_names()) == set(timm.list_modules())
    for module, name in timm_names().items():
        assert name in timm.list_models(module=module)
