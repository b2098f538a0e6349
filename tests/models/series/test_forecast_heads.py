from statistics import NormalDist

import pytest
import torch
from torch import nn

from amlnn.errors import ConfigError
from amlnn.models.series.forecast_heads import GaussianHead, PointHead, QuantileHead

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
HEADS = [PointHead('mse'), PointHead('mae'), PointHead('huber'), QuantileHead(LEVELS),
         GaussianHead(LEVELS)]


def normals(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize('seed', range(40))
def test_quantiles_never_cross_whatever_the_numbers(seed):
    generator = torch.Generator().manual_seed(seed)
    count = 1 + seed % 9
    levels = tuple((torch.rand(count, generator=generator).sort().values * 0.98 + 0.01).tolist())
    raw = torch.randn(4, 50, 3, count, generator=generator) * 10.0 ** (seed % 6)
    shift = torch.randn(4, 1, 3, generator=generator) * 1e3
    scale = torch.rand(4, 1, 3, generator=generator) + 1e-6
    head = QuantileHead(levels)
    forecast = head.forecast(head(raw, shift, scale))
    assert forecast.quantiles.shape == (4, 50, 3, count)
    assert torch.isfinite(forecast.quantiles).all()
    assert (forecast.quantiles.diff() >= 0).all()
    assert torch.equal(forecast.point, (raw[..., 0] * scale) + shift)


def test_a_quantile_is_its_neighbour_and_a_softplus():
    raw = torch.tensor([[[[2.0, 0.5, -1.0, 3.0]]]])
    output = QuantileHead((0.1, 0.4, 0.8, 0.9))(raw, None, None).flatten()
    softplus = (1 + raw.flatten().exp()).log()
    expected = [2 - softplus[1], 2.0, 2 + softplus[2], 2 + softplus[2] + softplus[3]]
    torch.testing.assert_close(output, torch.tensor(expected))


def test_the_pinball_loss_is_that_of_the_definition():
    head = QuantileHead((0.1, 0.9))
    output = torch.tensor([[[[1.0, 4.0]], [[1.0, 4.0]]]])
    target = torch.tensor([[[3.0], [0.0]]])
    # above 1 by 2: 0.1 * 2; below 4 by 1: 0.1 * 1; below 1 by 1: 0.9 * 1; below 4 by 4: 0.1 * 4
    assert head.loss(output, target).item() == pytest.approx((0.2 + 0.1 + 0.9 + 0.4) / 4)


def test_the_gaussian_loss_is_torch_s_and_the_quantiles_the_normal_distribution_s():
    head = GaussianHead((0.2, 0.5, 0.7))
    output = head(normals(2, 3, 4, 2), normals(2, 1, 4), normals(2, 1, 4).exp())
    target = normals(2, 3, 4, seed=1)
    expected = nn.GaussianNLLLoss(full=True)(output[..., 0], target, output[..., 1].square())
    torch.testing.assert_close(head.loss(output, target), expected)
    mean, deviation = output[1, 2, 3].tolist()
    own = NormalDist(mean, deviation)
    assert head.forecast(output).quantiles[1, 2, 3].tolist() == pytest.approx(
        [own.inv_cdf(level) for level in (0.2, 0.5, 0.7)], rel=1e-5)


@pytest.mark.parametrize('name, expected', [
    ('mse', (4 + 0.25) / 2), ('mae', (2 + 0.5) / 2), ('huber', (1.5 + 0.125) / 2)])
def test_the_point_losses_are_those_of_their_names(name, expected):
    output = torch.tensor([[[[0.0]], [[0.0]]]])
    assert PointHead(name).loss(output, torch.tensor([[[2.0], [0.5]]])).item() \
        == pytest.approx(expected)


@pytest.mark.parametrize('head', HEADS, ids=lambda head: type(head).__name__)
def test_a_missing_target_does_not_count_whatever_is_stored(head):
    output = head(normals(2, 3, 4, head.size), None, None)
    target = normals(2, 3, 4, seed=1)
    observed = normals(2, 3, 4, seed=2) > 0
    expected = head.losses(output, target)[observed].mean()
    for stored in (0.0, 1e30, float('nan'), float('inf')):
        given = head.loss(output, torch.where(observed, target, stored), observed)
        torch.testing.assert_close(given, expected)
    assert head.loss(output, target, torch.zeros_like(observed)) == 0


@pytest.mark.parametrize('head', HEADS, ids=lambda head: type(head).__name__)
def test_the_gradient_of_the_loss_is_right(head):
    raw = normals(2, 3, 2, head.size).double().requires_grad_()
    target, scale = normals(2, 3, 2, seed=1).double(), normals(2, 1, 2, seed=2).double().exp()
    head = type(head)(*([LEVELS] if hasattr(head, 'levels') else [])).double()
    assert torch.autograd.gradcheck(
        lambda raw: head.loss(head(raw, target[:, :1], scale), target), [raw])


@pytest.mark.parametrize('kind', [QuantileHead, GaussianHead])
@pytest.mark.parametrize('levels', [(), (0.5, 0.5), (0.9, 0.1), (0.0, 0.5), (0.5, 1.0)], ids=str)
def test_levels_that_are_not_ascending_between_0_and_1_are_refused(kind, levels):
    with pytest.raises(ConfigError) as error:
        kind(levels)
    assert error.value.hint


def test_every_option_of_a_head_changes_something():
    raw, target = normals(2, 3, 4, 2), normals(2, 3, 4, seed=1)
    narrow, wide = (GaussianHead(smallest_deviation=least) for least in (1e-3, 2e-3))
    assert not torch.equal(narrow(raw, None, None), wide(raw, None, None))
    assert narrow.forecast(raw).levels != GaussianHead((0.4, 0.6)).forecast(raw).levels
    pairs = [QuantileHead(levels) for levels in ((0.1, 0.9), (0.2, 0.9))]
    assert len({head.loss(raw.sort().values, target).item() for head in pairs}) == 2
    with pytest.raises(ConfigError, match='smallest_deviation'):
        GaussianHead(smallest_deviation=0)
