import pytest
import torch
from torch import nn

from amlnn.errors import ConfigError, DataError
from amlnn.formulas.gaps import fill_forward
from amlnn.models.series.forecaster import Forecaster
from amlnn.models.series.normalization import RevIN, SeasonalMean
from amlnn.registry import SERIES_MODULES, import_components

import_components(SERIES_MODULES)
ENCODERS = ['LSTM', 'GRU', 'BidirectionalRNN', 'DeepRNN', 'SegmentedGRU', 'SegmentedSLSTM']


def in_segments(encoder: str) -> bool:
    return encoder.startswith('Segmented')


def forecaster(encoder: str = 'GRU', head: dict | None = None, **options) -> Forecaster:
    torch.manual_seed(0)
    sizes = dict(look_back=12, horizon=4, channels=3) | options
    own = sizes.pop('own', dict(segment_length=2) if in_segments(encoder) else {})
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
    dict(decoding='both'), dict(normalization='first'), dict(normalization='season'),
    dict(normalization='season', season=13), dict(look_back=None), dict(horizon=0),
    dict(head=dict(type='PointHead', loss='mad'))], ids=str)
def test_an_option_without_meaning_is_an_error_with_a_hint(options):
    with pytest.raises(ConfigError) as error:
        forecaster(**options)
    assert error.value.hint


OPTIONS = [dict(channel_independent=False), dict(decoding='recursive'),
           dict(normalization='revin'), dict(normalization='none'),
           dict(normalization='season', season=5)]


@pytest.mark.parametrize('option', OPTIONS, ids=str)
@pytest.mark.parametrize('encoder', ENCODERS)
def test_every_option_of_the_forecaster_changes_the_forecast(encoder, option):
    inputs = batch()[0]
    assert not torch.equal(forecaster(encoder, **option)(inputs), forecaster(encoder)(inputs))


@pytest.mark.parametrize('independent', [True, False])
def test_an_extra_column_is_read_and_not_forecast(independent):
    model = forecaster(extra_channels=1, channel_independent=independent)
    inputs = batch(columns=4)[0]
    other = inputs.clone()
    other[..., 3] += 1
    assert model(inputs).shape == (5, 4, 3, 1)
    assert not torch.equal(model(inputs), model(other))


def test_independent_columns_do_not_read_each_other_and_columns_read_together_do():
    inputs = batch()[0]
    other = inputs.clone()
    other[..., 1] = 0
    for independent in (True, False):
        model = forecaster(channel_independent=independent, normalization='none')
        same = (model(inputs) == model(other)).flatten(3).all(-1).all(0).all(0)
        assert same.tolist() == [independent, False, independent]


@pytest.mark.parametrize('encoder', ENCODERS)
@pytest.mark.parametrize('head', [dict(type='PointHead'), dict(type='QuantileHead'),
                                  dict(type='GaussianHead')], ids=lambda head: head['type'])
@pytest.mark.parametrize('decoding', ['direct', 'recursive'])
def test_a_constant_added_to_a_window_is_added_to_its_forecast(encoder, head, decoding):
    model = forecaster(encoder, head, decoding=decoding).double()
    inputs = batch()[0].double()
    added = torch.randn(5, 1, 3, dtype=torch.double)
    before, after = (model(x, mode='predict') for x in (inputs, inputs + added))
    torch.testing.assert_close(after.point, before.point + added)
    if before.quantiles is not None:
        torch.testing.assert_close(after.quantiles, before.quantiles + added.unsqueeze(-1))


@pytest.mark.parametrize('decoding', ['direct', 'recursive'])
def test_with_revin_a_scaled_and_shifted_window_has_the_forecast_scaled_and_shifted(decoding):
    model = forecaster(head=dict(type='GaussianHead'), normalization='revin',
                       decoding=decoding).double()
    model.normalization.epsilon = 0
    nn.init.normal_(model.normalization.log_factor_C)
    nn.init.normal_(model.normalization.offset_C)
    inputs = batch()[0].double()
    factor, added = torch.rand(5, 1, 3).double() + 0.5, torch.randn(5, 1, 3).double()
    before, after = (model(x, mode='predict') for x in (inputs, inputs * factor + added))
    torch.testing.assert_close(after.quantiles, before.quantiles * factor.unsqueeze(-1)
                               + added.unsqueeze(-1))


def test_revin_normalises_and_its_way_back_gives_the_window():
    norm = RevIN(3)
    inputs = 5 * batch()[0] + 2
    z, shift, scale = norm(inputs, None)
    torch.testing.assert_close(z.mean(1), torch.zeros(5, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(z.var(1, correction=0), torch.ones(5, 3))
    torch.testing.assert_close(z * scale + shift, inputs)
    nn.init.constant_(norm.log_factor_C, 0.7)
    nn.init.constant_(norm.offset_C, -2.0)
    moved, shift, scale = norm(inputs, None)
    torch.testing.assert_close(moved, z * 2.0137527 - 2)
    torch.testing.assert_close(moved * scale + shift, inputs)


def test_the_seasonal_mean_is_that_of_the_same_steps_of_whole_periods():
    L, P, season = 11, 6, 4
    inputs = torch.randn(3, L, 2, generator=torch.Generator().manual_seed(2))
    rest, shift, scale = SeasonalMean(L, P, season)(inputs, None)
    whole = range(L - L // season * season, L)  # the window's first steps are no whole period

    def mean(step):
        return torch.stack([inputs[:, each] for each in whole if (each - step) % season == 0]
                           ).mean(0)

    for step in range(L):
        torch.testing.assert_close(rest[:, step], inputs[:, step] - mean(step))
    for step in range(P):
        torch.testing.assert_close(shift[:, step], mean(L + step))
    assert scale is None


def test_a_network_that_adds_nothing_goes_on_with_the_season():
    model = forecaster(normalization='season', season=4)
    for parameter in model.encoder.readout.parameters():
        nn.init.zeros_(parameter)
    period = torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(3))
    forecast = model(period.repeat(1, 3, 1), mode='predict').point
    torch.testing.assert_close(forecast, period)


def test_missing_values_do_not_count_in_revin_s_mean_and_deviation():
    inputs, observed = batch()[0], torch.rand(5, 12, 3) > 0.4
    _, shift, scale = RevIN(3)(fill_forward(inputs, observed, xp=torch), observed)
    kept = inputs[2, :, 1][observed[2, :, 1]]
    assert shift[2, 0, 1].item() == pytest.approx(kept.mean().item(), abs=1e-6)
    assert scale[2, 0, 1].item() == pytest.approx(kept.std(correction=0).item(), rel=1e-4)


@pytest.mark.parametrize('normalization', ['last', 'revin', 'none'])
@pytest.mark.parametrize('independent', [True, False])
@pytest.mark.parametrize('indicator', [True, False])
@pytest.mark.parametrize('decoding', ['direct', 'recursive'])
def test_what_is_stored_where_a_value_is_missing_changes_nothing(
        normalization, independent, indicator, decoding):
    inputs, targets = batch(columns=5)
    generator = torch.Generator().manual_seed(3)
    observed = torch.rand(5, 12, 5, generator=generator) > 0.5
    observed[0, :, 1] = False    # a column without any value
    observed[1, -1] = False      # the last step, which 'last' subtracts
    observed[2, 0] = False       # the first, before which nothing stands
    for encoder in ('GRU', 'SegmentedGRU', 'SegmentedSLSTM'):
        model = forecaster(encoder, normalization=normalization, extra_channels=2,
                           channel_independent=independent, missing_indicator=indicator,
                           decoding=decoding)
        given = [model(torch.where(observed, inputs, stored), targets, observed=observed,
                       mode=mode) for stored in (0.0, 1e20, float('nan'))
                 for mode in ('tensor', 'loss')]
        assert torch.isfinite(given[0]).all()
        for output, loss in zip(given[2::2], given[3::2], strict=True):
            assert torch.equal(output, given[0])
            assert torch.equal(loss['loss'], given[1]['loss'])


def test_the_network_reads_which_values_were_missing_if_asked():
    inputs = batch()[0]
    inputs[:, 5] = inputs[:, 4]  # what is carried forward is what is there
    observed = torch.ones_like(inputs, dtype=bool)
    observed[:, 5] = False
    for indicator in (True, False):
        model = forecaster(missing_indicator=indicator)
        assert torch.equal(model(inputs), model(inputs, observed=observed)) is not indicator


def test_a_missing_target_does_not_count():
    model = forecaster()
    inputs, targets = batch()
    seen = torch.rand(5, 4, 3) > 0.5
    expected = (model(inputs, mode='predict').point - targets)[seen].square().mean()
    stored = torch.where(seen, targets, float('nan'))
    torch.testing.assert_close(
        model(inputs, stored, target_observed=seen, mode='loss')['loss'], expected)


@pytest.mark.parametrize('independent', [True, False])
def test_recursive_decoding_carries_extra_columns_forward_and_calls_them_missing(independent):
    options = dict(decoding='recursive', normalization='none', extra_channels=1,
                   missing_indicator=True, channel_independent=independent)
    model, longer = (forecaster(look_back=look_back, **options) for look_back in (12, 13))
    inputs = batch(columns=4)[0]
    observed = torch.ones(5, 13, 4, dtype=bool)
    observed[:, 12, 3] = False
    forecast = model(inputs, mode='predict').point
    further = torch.cat([forecast[:, :1], torch.full((5, 1, 1), 1e9)], -1)
    after = longer(torch.cat([inputs, further], 1), observed=observed, mode='predict').point
    torch.testing.assert_close(after[:, :3], forecast[:, 1:])


@pytest.mark.parametrize('seed', range(20))
@pytest.mark.parametrize('normalization', ['last', 'revin', 'none'])
def test_quantiles_never_cross_whatever_weights_and_inputs(seed, normalization):
    head = dict(type='QuantileHead', levels=(.01, .3, .5, .8, .9))
    model = forecaster(ENCODERS[seed % len(ENCODERS)], head, normalization=normalization)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(3 * torch.randn(weight.shape, generator=generator))
    quantiles = model(10 * batch(seed)[0], mode='predict').quantiles
    assert quantiles.shape == (5, 4, 3, 5)
    assert (quantiles.diff() >= 0).all()


@pytest.mark.parametrize('encoder', ENCODERS)
@pytest.mark.parametrize('decoding', ['direct', 'recursive'])
def test_every_element_of_a_gradient_is_that_of_finite_differences(encoder, decoding):
    own = dict(hidden_size=2) | (dict(segment_length=3) if in_segments(encoder) else {}) \
        | (dict(num_heads=2) if encoder == 'SegmentedSLSTM' else {})
    model = forecaster(encoder, dict(type='GaussianHead'), own=own, look_back=6, channels=2,
                       normalization='revin', decoding=decoding).double()
    inputs = torch.randn(2, 6, 2).double()
    names = [name for name, _ in model.named_parameters()]

    def loss(*weights):
        return torch.func.functional_call(model, dict(zip(names, weights, strict=True)),
                                          (inputs, torch.ones(2, 4, 2).double()),
                                          dict(mode='loss'))['loss']

    assert torch.autograd.gradcheck(loss, tuple(model.parameters()), fast_mode=True)


def test_training_finds_a_sine():
    model = forecaster('SegmentedGRU', normalization='last', channels=1, own=dict(segment_length=4))
    wave = torch.sin(torch.arange(216) * 0.4).unfold(0, 16, 1).unsqueeze(-1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(100):
        optimizer.zero_grad()
        losses.append(model(wave[:, :12], wave[:, 12:], mode='loss')['loss'])
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.02 * losses[0]
