"""What CUDA graphs replay; on a machine with a GPU also that it is what the stages compute."""

from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from backbone_samples import classifier
from torch import nn

from amlnn.models.images import cuda_graphs
from amlnn.models.images.cuda_graphs import CudaGraphs
from amlnn.models.images.freezing import freeze
from amlnn.models.images.trunk import Trunk

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU')


def images_like(*shape):
    """What stands for images on a GPU where there is none."""
    return SimpleNamespace(shape=shape, stride=lambda: (1, ), dtype=torch.float32,
                           device=torch.device('cuda'))


class Recorded:
    """In the place of a graph."""

    made: ClassVar[list] = []

    def __init__(self, run, x):
        self.made.append(x.shape)

    def __call__(self, x):
        return 'replayed'


@pytest.fixture
def recorded(monkeypatch):
    monkeypatch.setattr(cuda_graphs, '_Graph', Recorded)
    monkeypatch.setattr(Recorded, 'made', [])
    return Recorded.made


def test_the_third_batch_of_a_size_is_captured_and_an_epochs_last_one_is_not(recorded):
    run = CudaGraphs(lambda x: 'computed')
    epoch = [run(images_like(32, 3)) for _ in range(4)] + [run(images_like(7, 3))]
    assert epoch == ['computed', 'computed', 'replayed', 'replayed', 'computed']
    assert recorded == [(32, 3)]


def test_no_more_than_four_sizes_are_kept(recorded):
    run = CudaGraphs(lambda x: 'computed')
    last = [[run(images_like(size, 3)) for _ in range(3)][-1] for size in range(6)]
    assert last == ['replayed'] * 4 + ['computed'] * 2


def test_what_cannot_be_captured_is_computed_from_then_on(monkeypatch):
    def refuse(run, x):
        raise RuntimeError('operation not permitted when stream is capturing\nand more')

    monkeypatch.setattr(cuda_graphs, '_Graph', refuse)
    run = CudaGraphs(lambda x: 'computed')
    assert [run(images_like(32, 3)) for _ in range(5)] == ['computed'] * 5
    assert run.refusal == 'operation not permitted when stream is capturing'


def test_without_a_gpu_no_trunk_is_in_graphs():
    model = classifier()
    freeze(model.backbone, 'all')
    assert not Trunk(model).graphed


@on_a_gpu
@pytest.mark.parametrize('precision', ['fp32', 'bf16', 'fp16'])
@pytest.mark.parametrize('frozen_stages', [2, 'all'])
@pytest.mark.parametrize('fold', [True, False])
def test_a_graph_gives_the_bits_of_the_stages_themselves(precision, frozen_stages, fold):
    model = classifier().cuda()
    freeze(model.backbone, frozen_stages)
    plain = Trunk(model, precision=precision, fold=fold, graphs=False)
    trunk = Trunk(model, precision=precision, fold=fold)
    assert trunk.graphed
    assert not plain.graphed
    kept = []
    for count in [8, 8, 8, 8, 8, 3, 8, 3, 3, 3]:
        images = torch.randn(count, 3, 64, 64, device='cuda')
        kept.append((trunk(images), plain(images)))
    for given, expected in kept:  # nothing was overwritten by a later batch
        assert torch.equal(given, expected)


@on_a_gpu
def test_stages_that_ask_the_gpu_for_a_number_are_computed_one_by_one():
    class Asking(nn.Module):
        def forward(self, x):
            return x * 2 if x.sum().item() > 0 else x * 3

    model = classifier().cuda()
    model.backbone.layer2.add_module('asking', Asking())
    freeze(model.backbone, 'all')
    trunk = Trunk(model)
    assert not trunk.graphed
    images = torch.randn(4, 3, 64, 64, device='cuda')
    assert torch.equal(trunk(images), Trunk(model, graphs=False)(images))
