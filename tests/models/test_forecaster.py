import pytest
import torch
from torch import nn

from amlnn.errors import ConfigError, DataError
from amlnn.models.forecaster import Forecaster

ENCODERS = ['LSTM', 'GRU', 'BidirectionalRNN', 'DeepRNN', 'SegmentedGRU']


def forecaster(encoder: str = 'GRU', head: dict | None = None, **options) -> Forecaster:
    torch.manual_seed(0)
    sizes = dict(look_back=12, horizon=4, channels=3) | options
    own = sizes.pop('own', dict(segment_length=2) if encoder == 'SegmentedGRU' else {})
    return Forecaster(dict(type=encoder, hidden_size=8) | own, head or dict(type='PointHead'),
                      **sizes)


def batch(seed: int = 1, columns: int = 3, windows: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(windows, 12, columns, generator=generator),
            torch.randn(windows, 4, 3, generator=generator))


@pytest.mark.parametrize('encoder', ENCODERS)
@pytest.mark.parametrize('independent', [True, False])
@pytest.mark.parametrize('decoding', ['direct', 'recursive'])
def test_a_forecast_has_the_horizon_and_the_target_columns_and_every_weight_learns(
        encoder, independent, decoding):
    model = forecaster(encoder, channel_independent=independent, decoding=decoding,
                       extra_channels=2, missing_indicator=True)
    inputs, targets = batch(columns=5)
    observed = torch.ones_like(inputs, dtype=bool)
    observed[:, 2:4] = False
    assert model(inputs, observed=observed, mode='predict').point.shape == (5, 4, 3)
    model(inputs, targets, observed=observed, mode='loss')['loss'].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_the_network_is_torch_s_own_gru_and_a_linear_map():
    model = forecaster(channel_independent=False, normalization='none')
    inputs, _ = batch()
    own = nn.GRU(3, 8, batch_first=True)
    own.load_state_dict(model.encoder.rnn.state_dict())
    linear = model.encoder.readout[1]
    expected = (own(inputs)[1][0] @ linear.weight.T + linear.bias).view(5, 4, 3)
    torch.testing.assert_close(model(inputs, mode='predict').point, expected)


def test_the_modes_agree():
    model = forecaster()
    inputs, targets = batch()
    output = model(inputs)
    point = model(inputs, mode='predict').point
    assert torch.equal(model.head.forecast(output).point, point)
    loss = model(inputs, targets, mode='loss')['loss']
    assert loss.item() == pytest.approx((point - targets).square().mean().item(), rel=1e-6)


def test_a_value_that_is_not_finite_and_not_marked_names_its_window_and_column():
    inputs, targets = batch()
    inputs[3, 7, 1] = float('nan')
    with pytest.raises(DataError, match=r'window 40 has nan in its inputs, step 7, column 1'):
        forecaster()(inputs, index=torch.tensor([10, 20, 30, 40, 50]))
    targets[2, 1, 2] = float('inf')
    with pytest.raises(DataError, match=r'window 2 has inf in its targets, step 1, column 2'):
        forecaster()(batch()[0], targets, mode='loss')


def test_windows_of_another_shape_are_refused():
    with pytest.raises(DataError, match=r'shape \(5, 12, 4\), not \(windows, 12, 3\)'):
        forecaster()(batch(columns=4)[0])
    with pytest.raises(DataError, match='targets of shape None'):
        forecaster()(batch()[0], mode='loss')


@pytest.mark.parametrize('options', [
    dict(decoding='both'), dict(normalization='first'), dict(look_back=None), dict(horizon=0),
    dict(head=dict(type='PointHead', loss='mad'))], ids=str)
def test_an_option_without_meaning_is_an_error_with_a_hint(options):
    with pytest.raises(ConfigError) as error:
        forecaster(**options)
    assert error.value.hint
