"""A cycle that is learnt: taken from a window at its place, added to the forecast at its."""

import pytest
import torch
from test_forecaster import ENCODERS, batch, forecaster
from torch import nn

from amlnn.errors import ConfigError, DataError

POSITION = torch.tensor([0, 3, 7, 1_000_003, -2])


def with_cycle(cycle=7, **options):
    """A model and its numbers of the cycle, which are 0 at first."""
    model = forecaster(cycle=cycle, **options)
    values = torch.randn(cycle, model.channels, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        model.cycle.values.copy_(values)
    return model, values


@pytest.mark.parametrize('encoder', ENCODERS)
@pytest.mark.parametrize('normalization', ['last', 'revin', 'season', 'none'])
@pytest.mark.parametrize('cycle', [5, 40])
def test_a_window_is_forecast_without_the_cycle_which_is_added_again(
        encoder, normalization, cycle):
    model, values = with_cycle(cycle, encoder=encoder, normalization=normalization, season=4)
    plain = forecaster(encoder, normalization=normalization, season=4)
    plain.load_state_dict(model.state_dict(), strict=False)
    inputs = batch()[0]
    rest, ahead = inputs.clone(), torch.zeros(5, 4, 3)
    for window, first in enumerate(POSITION.tolist()):  # of the first step that is forecast
        for step in range(12):
            rest[window, step] -= values[(first - 12 + step) % cycle]
        for step in range(4):
            ahead[window, step] = values[(first + step) % cycle]
    torch.testing.assert_close(model(inputs, position=POSITION, mode='predict').point,
                               plain(rest, mode='predict').point + ahead)


@pytest.mark.parametrize('decoding', ['direct', 'recursive'])
def test_training_begins_as_without_and_every_weight_learns(decoding):
    inputs, targets = batch()
    model = forecaster(cycle=7, decoding=decoding)
    plain = forecaster(decoding=decoding)
    assert torch.equal(model(inputs, position=POSITION), plain(inputs))
    model(inputs, targets, position=POSITION, mode='loss')['loss'].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_it_adds_up_with_the_effect_of_known_columns():
    model, values = with_cycle(known_channels=2)
    nn.init.constant_(model.effect.weight, 0.05)
    inputs, known = torch.randn(5, 12, 5), torch.randn(5, 4, 2)
    found = model(inputs, known=known, position=POSITION, mode='predict').point
    rest = inputs.clone()
    for window, first in enumerate(POSITION.tolist()):
        for step in range(12):
            rest[window, step, :3] -= values[(first - 12 + step) % 7]
    nn.init.zeros_(model.cycle.values)
    ahead = values[(POSITION[:, None] + torch.arange(4)) % 7]
    torch.testing.assert_close(found, model(
        rest, known=known, position=POSITION, mode='predict').point + ahead)


def test_over_a_gap_goes_on_the_level_and_not_the_place_in_the_cycle():
    # Level 3 with the cycle 0, 10: the last row, of place 1, is missing.
    model, _ = with_cycle(2, channels=1)
    for weight in model.encoder.parameters():
        nn.init.zeros_(weight)
    with torch.no_grad():
        model.cycle.values.copy_(torch.tensor([[0.0], [10.0]]))
    inputs = torch.tensor([3.0, 13.0]).repeat(6).view(1, 12, 1)
    inputs[0, 11] = float('nan')
    observed = torch.ones(1, 12, 1, dtype=bool)
    observed[0, 11] = False
    found = model(inputs, observed=observed, position=torch.tensor([24]), mode='predict').point
    assert found.flatten().tolist() == [3, 13, 3, 13]


def test_each_series_of_many_may_have_a_cycle_of_its_own():
    model = forecaster(cycle=7, per_series=True, series_count=2)
    inputs, series = batch()[0], torch.tensor([0, 1, 0, 1, 1])
    before = model(inputs, position=POSITION, series=series)
    nn.init.normal_(model.members[1].cycle.values)
    changed = (model(inputs, position=POSITION, series=series) != before).flatten(1).any(1)
    assert changed.tolist() == [False, True, False, True, True]


def test_windows_that_do_not_say_where_they_lie_are_refused():
    with pytest.raises(DataError, match='where in it they lie'):
        forecaster(cycle=7)(batch()[0])


@pytest.mark.parametrize('cycle', ['auto', 'week', 1, 0, 2.5])
def test_what_is_no_number_of_steps_is_refused(cycle):
    with pytest.raises(ConfigError) as error:
        forecaster(cycle=cycle)
    assert error.value.hint


def test_a_training_finds_the_cycle_of_its_series():
    # A cycle of 20 steps, more than a window of 12 holds, under a level that walks.
    generator = torch.Generator().manual_seed(0)
    cycle = torch.randn(20, generator=generator)
    level = torch.randn(2000, generator=generator).mul(0.02).cumsum(0)
    rows = (cycle.repeat(100) + level).unfold(0, 16, 1).unsqueeze(-1)
    position = torch.arange(len(rows)) + 12
    model = forecaster(channels=1, cycle=20)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        model(rows[:, :12], rows[:, 12:], position=position, mode='loss')['loss'].backward()
        optimizer.step()
    found = model.cycle.values.detach().squeeze(1)
    correlation = torch.corrcoef(torch.stack([found, cycle]))[0, 1]
    assert correlation > 0.95
