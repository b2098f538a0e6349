"""Training windows tilted at random."""

import numpy as np
import pytest
import torch

from amlnn.errors import ConfigError
from amlnn.models.series.forecaster import Forecaster
from amlnn.models.series.random_slope import RandomSlope


def forecaster(**more):
    torch.manual_seed(0)
    return Forecaster(dict(type='GRU', hidden_size=4), dict(type='PointHead'), look_back=8,
                      horizon=4, channels=2, **more)


def test_a_line_goes_through_past_and_future_and_0_at_the_last_input():
    torch.manual_seed(0)
    past, future = RandomSlope(2.0)(torch.zeros(2000, 8, 3), torch.zeros(2000, 4, 2))
    line = torch.cat([past[..., :2], future], dim=1).numpy()
    assert np.allclose(np.diff(line, 2, axis=1), 0, atol=1e-5)
    assert (line[:, 7] == 0).all() and (past[..., 2] == 0).all()  # other columns are as they were
    rise = line[:, -1] - line[:, 0]
    assert rise.std(axis=0) == pytest.approx([2, 2], rel=0.05)
    assert abs(np.corrcoef(rise.T)[0, 1]) < 0.1  # each column by itself


def test_only_training_is_tilted():
    model, plain = forecaster(random_slope=1.0), forecaster()
    inputs, targets = torch.randn(16, 8, 2), torch.randn(16, 4, 2)
    model.eval(), plain.eval()
    assert torch.equal(model(inputs, targets, mode='loss')['loss'],
                       plain(inputs, targets, mode='loss')['loss'])
    model.train(), plain.train()
    assert torch.equal(model(inputs, mode='predict').point, plain(inputs, mode='predict').point)
    losses = {model(inputs, targets, mode='loss')['loss'].item() for _ in range(3)}
    assert len(losses) == 3
    assert plain(inputs, targets, mode='loss')['loss'].item() not in losses


def test_without_a_slope_nothing_is_drawn():
    model = forecaster().train()
    inputs, targets = torch.randn(16, 8, 2), torch.randn(16, 4, 2)
    torch.manual_seed(1)
    model(inputs, targets, mode='loss')
    drawn = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(1))


@pytest.mark.parametrize('size', [-1.0, float('nan'), float('inf')])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(ConfigError, match='random_slope'):
        forecaster(random_slope=size)
