"""Columns that are known of the future: where they act, and that nothing else moves."""

import numpy as np
import pytest
import torch
from test_forecaster import ENCODERS, forecaster, in_segments
from torch import nn

from amlnn.errors import DataError

KNOWN = dict(known_channels=2, extra_channels=1)


def batch(seed: int = 1, windows: int = 5, horizon: int = 4):
    """Inputs of three targets, one extra and two known columns, targets, known future."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(windows, *shape, generator=generator)
                 for shape in ((12, 6), (horizon, 3), (horizon, 2)))


def moved(model: nn.Module) -> nn.Module:
    """The model with its weights away from 0, where those of known columns begin."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator) / 4)
    return model


# Of the program before it had known columns, with the weights that seed 0 draws.
@pytest.mark.parametrize('encoder, decoding, expected', [
    ('GRU', 'direct', [0.045795, -0.18836, -0.18573, -0.301572]),
    ('SegmentedGRU', 'direct', [-0.125094, -0.013705, -0.066756, -0.046064]),
    ('LSTM', 'recursive', [-0.312638, -0.315303, -0.317501, -0.318928])])
def test_without_known_columns_all_is_as_it_was(encoder, decoding, expected):
    model = forecaster(encoder, decoding=decoding)
    assert not any('known' in name or 'effect' in name for name in model.state_dict())
    drawn = torch.randn(5, 12, 3, generator=torch.Generator().manual_seed(1))
    found = model(drawn, mode='predict').point[0, :, 0].tolist()
    assert found == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize('encoder', ENCODERS)
@pytest.mark.parametrize('independent', [True, False])
@pytest.mark.parametrize('decoding', ['direct', 'recursive'])
@pytest.mark.parametrize('horizon', [4, 5])
def test_every_weight_learns_and_the_forecast_has_its_shape(
        encoder, independent, decoding, horizon):
    model = moved(forecaster(encoder, channel_independent=independent, decoding=decoding,
                             horizon=horizon, missing_indicator=True, **KNOWN))
    inputs, targets, known = batch(horizon=horizon)
    observed = torch.ones_like(inputs, dtype=bool)
    observed[:, 2:4] = False
    given = dict(observed=observed, known=known)
    assert model(inputs, mode='predict', **given).point.shape == (5, horizon, 3)
    model(inputs, targets, mode='loss', **given)['loss'].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize('encoder', ENCODERS)
@pytest.mark.parametrize('decoding', ['direct', 'recursive'])
def test_training_begins_without_the_known_future_except_what_is_fed_back(encoder, decoding):
    model = forecaster(encoder, decoding=decoding, **KNOWN)
    inputs, _, known = batch()
    other = known.clone()
    # A step that is fed back is read again; that of the last step (segment) never is.
    other[:, -2 if in_segments(encoder) or decoding == 'direct' else -1:] += 5
    assert torch.equal(model(inputs, known=known), model(inputs, known=other))


@pytest.mark.parametrize('independent', [True, False])
@pytest.mark.parametrize('encoder', ENCODERS)
@pytest.mark.parametrize('decoding', ['direct', 'recursive'])
def test_the_decoder_reads_each_future_step_for_that_step(encoder, decoding, independent):
    model = moved(forecaster(encoder, decoding=decoding, channel_independent=independent, **KNOWN))
    nn.init.zeros_(model.effect.weight)
    inputs, _, known = batch()
    before = model(inputs, known=known)
    for step in range(4):
        other = known.clone()
        other[:, step, 0] += 1
        changed = (model(inputs, known=other) != before).flatten(2).any(-1).all(0).tolist()
        first = step // 2 * 2 if in_segments(encoder) else step  # its segments are of two
        last = 3 if decoding == 'recursive' else first + in_segments(encoder)
        assert changed == [first <= each <= last for each in range(4)], step


@pytest.mark.parametrize('normalization', ['last', 'revin', 'season', 'none'])
@pytest.mark.parametrize('encoder', ['GRU', 'SegmentedGRU', 'SegmentedSLSTM'])
def test_the_effect_is_taken_from_the_past_and_added_to_the_future(encoder, normalization):
    # A window with the effect in it, and the same one without: forecasts differ by the effect.
    model = moved(forecaster(encoder, normalization=normalization, season=4, **KNOWN)).double()
    inputs, _, known = (part.double() for part in batch())
    effect = 10 * model.effect.weight.detach()
    found = model(inputs, known=known, mode='predict').point
    plain = inputs.clone()
    plain[..., :3] -= inputs[..., 4:] @ effect.T
    nn.init.zeros_(model.effect.weight)
    expected = model(plain, known=known, mode='predict').point + known @ effect.T
    torch.testing.assert_close(found, expected)


def test_over_a_gap_goes_on_what_is_left_without_the_effect():
    # Level 3, effect 10 times the weight; the holiday is in row 5, and row 6 is missing.
    model = forecaster(channels=1, known_channels=1)
    for weight in model.encoder.parameters():
        nn.init.zeros_(weight)
    nn.init.constant_(model.effect.weight, 1.0)
    inputs = torch.full((1, 12, 2), 3.0)
    inputs[..., 1] = 0
    inputs[0, 10] = torch.tensor([13.0, 1.0])
    inputs[0, 11] = float('nan')
    observed = torch.ones_like(inputs, dtype=bool)
    observed[0, 11, 0] = False
    inputs[0, 11, 1] = 0
    known = torch.tensor([[[0.0], [1.0], [0.0], [0.0]]])
    found = model(inputs, observed=observed, known=known, mode='predict').point
    assert found.flatten().tolist() == [3, 13, 3, 3]


@pytest.mark.parametrize('encoder', ENCODERS)
@pytest.mark.parametrize('decoding', ['direct', 'recursive'])
@pytest.mark.parametrize('indicator', [True, False])
def test_what_is_stored_where_a_value_is_missing_changes_nothing(encoder, decoding, indicator):
    model = moved(forecaster(encoder, decoding=decoding, missing_indicator=indicator, **KNOWN))
    inputs, targets, known = batch()
    observed = torch.rand(inputs.shape, generator=torch.Generator().manual_seed(3)) > 0.5
    observed[0, :, 1] = observed[1, :, 5] = observed[2, -1] = observed[3, 0] = False
    losses, slopes = [], []
    for stored in (0.0, 1e20, float('nan')):
        model.zero_grad()
        losses.append(model(torch.where(observed, inputs, stored), targets, observed=observed,
                            known=known, mode='loss')['loss'])
        losses[-1].backward()
        slopes.append(torch.cat([each.grad.flatten() for each in model.parameters()]))
    assert torch.isfinite(losses[0]) and torch.isfinite(slopes[0]).all()
    assert losses[0] == losses[1] == losses[2]
    assert torch.equal(slopes[0], slopes[1]) and torch.equal(slopes[0], slopes[2])


@pytest.mark.parametrize('independent', [True, False])
def test_recursive_decoding_reads_the_known_rows_as_one_step_later_they_are_the_past(independent):
    options = dict(decoding='recursive', normalization='none', missing_indicator=True,
                   channel_independent=independent, **KNOWN)
    model, longer = (moved(forecaster(look_back=look_back, **options)) for look_back in (12, 13))
    inputs, _, known = batch()
    observed = torch.ones(5, 13, 6, dtype=bool)
    observed[:, 12, 3] = False  # the extra column, whose future nobody knows
    forecast = model(inputs, known=known, mode='predict').point
    further = torch.cat([forecast[:, :1], torch.full((5, 1, 1), 1e9), known[:, :1]], -1)
    ahead = torch.cat([known[:, 1:], torch.zeros(5, 1, 2)], 1)
    after = longer(torch.cat([inputs, further], 1), observed=observed, known=ahead,
                   mode='predict').point
    torch.testing.assert_close(after[:, :3], forecast[:, 1:])


def test_a_future_that_is_missing_or_of_another_shape_or_not_finite_is_refused():
    model = forecaster(**KNOWN)
    inputs, _, known = batch()
    with pytest.raises(DataError, match=r'known of shape None, not .windows, 4, 2.') as error:
        model(inputs)
    assert error.value.hint
    with pytest.raises(DataError, match=r'known of shape \(5, 3, 2\), not'):
        model(inputs, known=known[:, :3])
    with pytest.raises(DataError, match=r'inputs of shape \(5, 12, 5\), not .windows, 12, 6.'):
        model(inputs[..., :5], known=known)
    known[3, 2, 1] = float('nan')
    with pytest.raises(DataError, match='window 40 has nan in its known columns, step 2') as error:
        model(inputs, known=known, index=torch.tensor([10, 20, 30, 40, 50]))
    assert 'no gaps' in error.value.hint


@pytest.mark.parametrize('encoder', ENCODERS)
@pytest.mark.parametrize('decoding', ['direct', 'recursive'])
def test_the_gradient_is_that_of_finite_differences(encoder, decoding):
    own = dict(hidden_size=2) | (dict(segment_length=3) if in_segments(encoder) else {}) \
        | (dict(num_heads=2) if encoder == 'SegmentedSLSTM' else {})
    model = moved(forecaster(encoder, own=own, look_back=6, channels=2, known_channels=1,
                             decoding=decoding)).double()
    inputs, known = torch.randn(2, 6, 3).double(), torch.randn(2, 4, 1).double()
    names = [name for name, _ in model.named_parameters()]

    def loss(*weights):
        given = dict(known=known, mode='loss')
        return torch.func.functional_call(model, dict(zip(names, weights, strict=True)),
                                          (inputs, torch.ones(2, 4, 2).double()), given)['loss']

    assert torch.autograd.gradcheck(loss, tuple(model.parameters()), fast_mode=True)


def sales(days: int = 800, seed: int = 0):
    """Scaled sales of a shop with weekdays, holidays that move them by 3, and noise 0.3."""
    random = np.random.default_rng(seed)
    holiday = (random.random(days) < 0.1).astype(float)
    week = np.resize(random.normal(size=7), days)
    return week + 3 * holiday + random.normal(size=days) * 0.3, holiday


@pytest.fixture
def one_thread():
    """Small batches are slower on several."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures('one_thread')
@pytest.mark.parametrize('encoder', ['GRU', 'SegmentedGRU', 'SegmentedSLSTM'])
def test_holidays_known_in_advance_bring_the_error_near_the_noise(encoder):
    values, holiday = sales()
    rows = torch.tensor(np.stack([values, holiday], 1), dtype=torch.float32)
    windows = rows.unfold(0, 21, 1).transpose(1, 2)
    errors = {}
    for known in (0, 1):
        own = dict(hidden_size=16) | (dict(segment_length=7) if in_segments(encoder) else {})
        model = forecaster(encoder, look_back=14, horizon=7, channels=1, known_channels=known,
                           normalization='none', own=own)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.015)
        generator = torch.Generator().manual_seed(0)
        for _ in range(20):
            for at in torch.randperm(600, generator=generator).split(64):
                optimizer.zero_grad()
                model(windows[at, :14, :1 + known], windows[at, 14:, :1], mode='loss',
                      known=windows[at, 14:, 1:])['loss'].backward()
                optimizer.step()
        test = windows[620:]
        with torch.no_grad():
            found = model(test[:, :14, :1 + known], known=test[:, 14:, 1:], mode='predict').point
        errors[known] = (found - test[:, 14:, :1]).square().mean().item()
    assert errors[1] < 0.12  # the noise alone is 0.09
    assert errors[0] > 0.5
