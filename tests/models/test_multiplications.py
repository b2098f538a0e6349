import pytest
import torch
from mmpretrain.models.backbones import ResNet
from torch import nn

from amlnn.models.multiplications import multiplications


def test_a_resnet50_takes_what_its_authors_libraries_say():
    # torchvision's documentation: 4.09 GFLOPS, by which it means multiplications with additions.
    # The classifier's are 2,048,000 of them.
    backbone = ResNet(50)
    backbone.eval()
    counts = multiplications(backbone, lambda: backbone(torch.zeros(1, 3, 224, 224)))
    assert (sum(counts.values()) + 2_048_000) / 1e9 == pytest.approx(4.09, abs=0.01)
    assert counts['conv1'] == 112 * 112 * 64 * 3 * 7 * 7


@pytest.mark.parametrize(('layer', 'shape', 'expected'), [
    (nn.Conv2d(4, 8, 3, groups=2, padding=1), (2, 4, 5, 6), 2 * 5 * 6 * 8 * 2 * 9),
    (nn.Conv1d(3, 2, 5), (1, 3, 10), 6 * 2 * 3 * 5),
    (nn.Linear(7, 3), (4, 7), 4 * 7 * 3),
    (nn.GRU(5, 6, batch_first=True), (2, 9, 5), 2 * 9 * 3 * 6 * (5 + 6)),
    (nn.LSTM(5, 6, num_layers=2, batch_first=True), (1, 3, 5), 3 * 4 * 6 * (5 + 6 + 6 + 6)),
    (nn.GRU(5, 6, bidirectional=True, batch_first=True), (1, 3, 5), 2 * 3 * 3 * 6 * (5 + 6)),
])
def test_a_layer_takes_its_weights_once_for_every_place(layer, shape, expected):
    network = nn.Sequential(layer)
    assert multiplications(network, lambda: network(torch.zeros(shape))) == {'0': expected}


def test_nothing_is_left_in_the_network_even_if_it_fails():
    network = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(RuntimeError):
        multiplications(network, lambda: network(torch.zeros(1, 3)))
    assert not network[0]._forward_hooks
