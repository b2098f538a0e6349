import pytest
import torch
from backbone_samples import images, scrambled
from timm.layers import BatchNormAct2d
from torch import nn

from amlnn.models.images.folding import fold_batch_norm, fuse_pointwise, relative_difference, trace


class Pair(nn.Module):
    """A convolution and a batch norm."""

    def __init__(self, convolution: nn.Module | None = None):
        super().__init__()
        torch.manual_seed(0)
        self.conv = convolution or nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        scrambled(self).eval().requires_grad_(False)

    def forward(self, x):
        return self.norm(self.conv(x))


class SecondReader(Pair):
    def forward(self, x):
        x = self.conv(x)
        return self.norm(x) + x


class CalledTwice(Pair):
    def forward(self, x):
        return self.norm(self.conv(x)) + self.conv(2 * x)


class NormFirst(Pair):
    def forward(self, x):
        return self.conv(self.norm(x))


class DependsOnData(Pair):
    def forward(self, x):
        return super().forward(x) if x.sum() > 0 else x


class Doubled(nn.Conv2d):
    def forward(self, x):
        return 2 * super().forward(x)


@pytest.mark.parametrize('options', [
    {}, dict(bias=False), dict(stride=2, padding=1), dict(dilation=2)], ids=str)
def test_a_folded_batch_norm_is_gone_and_the_output_stays(options):
    pair = Pair(nn.Conv2d(3, 4, 3, **options))
    expected = pair(images())
    assert fold_batch_norm(pair, pair.forward) == 1
    assert isinstance(pair.norm, nn.Identity)
    torch.testing.assert_close(pair(images()), expected, rtol=1e-5, atol=1e-5)


def test_the_folded_weight_is_the_textbook_one():
    pair = Pair()
    conv, norm = pair.conv, pair.norm
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    weight = conv.weight * scale[:, None, None, None]
    bias = (conv.bias - norm.running_mean) * scale + norm.bias
    fold_batch_norm(pair, pair.forward)
    torch.testing.assert_close(pair.conv.weight.data, weight)
    torch.testing.assert_close(pair.conv.bias.data, bias)


@pytest.mark.parametrize('module', [
    SecondReader(), CalledTwice(), DependsOnData(), Pair(Doubled(3, 4, 3)),
    NormFirst(nn.Conv2d(4, 4, 3)), Pair().train()],
    ids=['second reader', 'called twice', 'depends on data', 'own convolution', 'norm first',
         'train mode'])
def test_what_folding_would_change_is_left_as_it_is(module):
    before = {name: value.clone() for name, value in module.state_dict().items()}
    assert fold_batch_norm(module, module.forward) == 0
    assert isinstance(module.norm, nn.BatchNorm2d)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize(('options', 'count', 'left'), [
    ({}, 1, nn.ReLU), (dict(apply_act=False), 1, nn.Identity), (dict(act_layer='silu'), 1, nn.SiLU),
    (dict(drop_layer=nn.Dropout), 0, BatchNormAct2d)], ids=str)
def test_of_timms_batch_norm_with_an_activation_the_activation_is_left(options, count, left):
    pair = Pair()
    pair.norm = BatchNormAct2d(4, **options)
    scrambled(pair).eval().requires_grad_(False)
    expected = pair(images())
    assert fold_batch_norm(pair, pair.forward) == count
    assert isinstance(pair.norm, left)
    torch.testing.assert_close(pair(images()), expected, rtol=1e-5, atol=1e-5)


class Residual(nn.Module):
    """A block as ResNet has it; `late` says what else reads the residual, after the addition."""

    def __init__(self, late: bool = False, order: int = 1, doubled: bool = False):
        super().__init__()
        torch.manual_seed(0)
        self.late, self.order, self.doubled = late, order, doubled
        self.enter = nn.Conv2d(3, 16, 3, padding=1)
        self.conv1, self.conv2 = nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(16, 16, 1, bias=False)
        self.relu, self.skip = nn.ReLU(inplace=True), nn.Identity()
        self.eval().requires_grad_(False)

    def forward(self, x):
        x = self.relu(self.enter(x))
        out = self.skip(self.conv2(self.relu(self.conv1(x))))
        if self.doubled:
            out = out + out
        out = (out + x if self.order == 1 else x + out)
        out = self.relu(out)
        return out * x if self.late else out


@pytest.mark.parametrize('block', [
    Residual(), Residual(order=-1), Residual(late=True), Residual(doubled=True)],
    ids=['plain', 'the other way round', 'residual read later', 'added to itself'])
@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_a_fused_block_computes_the_same_again_and_again(block, layout):
    fused = fuse_pointwise(block, block.forward)
    kinds = {type(each) for each in fused.modules()}
    assert nn.Conv2d not in kinds and nn.Identity not in kinds
    for _ in range(2):
        x = images().contiguous(memory_format=layout)
        kept = x.clone()
        with torch.inference_mode():
            torch.testing.assert_close(fused(x), block(x), rtol=1e-5, atol=1e-5)
        assert torch.equal(x, kept)


def test_a_plain_block_is_nothing_but_three_fused_convolutions():
    block = Residual()
    fused = fuse_pointwise(block, block.forward)
    assert [node.op for node in fused.graph.nodes] == [
        'placeholder', *['call_module'] * 3, 'output']


def test_fusing_what_cannot_be_traced_gives_none():
    module = DependsOnData()
    assert fuse_pointwise(module, module.forward) is None


def test_a_trace_computes_the_same():
    pair = Pair()
    assert torch.equal(trace(pair, pair.forward)(images()), pair(images()))
    assert trace(DependsOnData(), DependsOnData().forward) is None


def test_a_trace_holds_tensors_that_a_forward_makes_of_numbers():
    class Shifted(Pair):
        def forward(self, x):
            return super().forward(x) + torch.tensor([1.0, 2.0, 3.0, 4.0])[:, None, None]
    shifted = Shifted()
    assert torch.equal(trace(shifted, shifted.forward)(images()), shifted(images()))
    expected = shifted(images())
    assert fold_batch_norm(shifted, shifted.forward) == 1
    torch.testing.assert_close(shifted(images()), expected, rtol=1e-5, atol=1e-5)


def test_relative_difference_is_that_of_root_mean_squares():
    assert relative_difference(torch.tensor([3.0, 4.4]), torch.tensor([3.0, 4.0])) == \
        pytest.approx(0.4 / 5)
