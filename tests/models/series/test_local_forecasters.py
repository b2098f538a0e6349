"""One model a series: whose window goes where, and that each learns from its own alone."""

import copy

import pytest
import torch
from test_forecaster import batch, forecaster

from amlnn.errors import ConfigError, DataError


def local(count: int = 3, **options):
    return forecaster(per_series=True, series_count=count, **options)


def apart(model):
    """The model with weights that differ from series to series."""
    with torch.no_grad():
        for number, member in enumerate(model.members):
            for weight in member.parameters():
                weight.add_(0.1 * (number + 1))
    return model


def test_each_window_is_forecast_by_its_own_series_model_in_its_own_place():
    model = apart(local(known_channels=1, missing_indicator=True))
    inputs = batch(columns=4)[0]
    observed = torch.rand(inputs.shape, generator=torch.Generator().manual_seed(0)) > 0.3
    known, series = torch.randn(5, 4, 1), torch.tensor([2, 0, 2, 1, 0])
    found = model(inputs, observed=observed, known=known, series=series)
    for window, place in enumerate(series.tolist()):
        one = slice(window, window + 1)
        expected = model.members[place](inputs[one], observed=observed[one], known=known[one])
        torch.testing.assert_close(found[one], expected)
    assert not torch.allclose(model.members[0](inputs, known=known),
                              model.members[1](inputs, known=known))


def test_all_series_begin_with_the_weights_of_a_single_model():
    single = forecaster().state_dict()
    state = local().state_dict()
    assert sorted(state) == sorted(f'members.{place}.{name}' for place in range(3)
                                   for name in single)
    for name, weight in state.items():
        assert torch.equal(weight, single[name.split('.', 2)[2]])


def test_training_on_batches_of_one_series_is_training_its_model_alone_to_the_bit():
    model = local(2, encoder='SegmentedGRU')
    alone = [forecaster('SegmentedGRU') for _ in range(2)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    others = [torch.optim.AdamW(each.parameters(), lr=0.01, weight_decay=0.1) for each in alone]
    for step, place in enumerate([0, 1, 1, 0, 1]):
        inputs, targets = batch(seed=step)
        for each, its, more in ((model, optimizer, dict(series=torch.full((5,), place))),
                                (alone[place], others[place], {})):
            its.zero_grad()
            each(inputs, targets, mode='loss', **more)['loss'].backward()
            its.step()
    for place, each in enumerate(alone):
        for name, weight in each.state_dict().items():
            assert torch.equal(weight, model.state_dict()[f'members.{place}.{name}']), name


def test_a_batch_of_several_series_has_the_mean_loss_and_leaves_other_models_alone():
    model = apart(local())
    inputs, targets = batch()
    series = torch.tensor([0, 2, 0, 2, 2])
    loss = model(inputs, targets, series=series, mode='loss')['loss']
    losses = [model.members[place](inputs[[at]], targets[[at]], mode='loss')['loss']
              for at, place in enumerate(series.tolist())]
    torch.testing.assert_close(loss, torch.stack(losses).mean())
    loss.backward()
    has = [[weight.grad is not None for weight in member.parameters()] for member in model.members]
    assert all(has[0]) and not any(has[1]) and all(has[2])


def test_one_series_needs_no_number_and_gives_what_a_model_of_all_gives():
    inputs = batch()[0]
    assert torch.equal(local(0)(inputs), forecaster()(inputs))
    assert torch.equal(local(1)(inputs, series=torch.zeros(5, dtype=torch.int64)),
                       forecaster()(inputs))


@pytest.mark.parametrize('place', [-1, 3])
def test_a_series_without_a_model_is_refused(place):
    series, index = torch.tensor([0, 1, place, 2, 0]), torch.tensor([10, 20, 30, 40, 50])
    with pytest.raises(DataError, match='window 30 is of a series that training had not') as error:
        local()(batch()[0], series=series, index=index)
    assert 'model.per_series=False' in error.value.hint
    assert forecaster()(batch()[0], series=series).shape == (5, 4, 3, 1)


@pytest.mark.parametrize('series', [None, torch.zeros(4, dtype=torch.int64)])
def test_windows_that_do_not_say_which_series_they_are_of_are_refused(series):
    with pytest.raises(DataError, match='series of shape') as error:
        local()(batch()[0], series=series)
    assert error.value.hint


def test_more_models_than_can_be_kept_are_refused():
    with pytest.raises(ConfigError, match='2,001 series asks for as many models') as error:
        local(2001)
    assert 'model.per_series=False' in error.value.hint


def test_a_copy_of_the_weights_is_read_again():
    model, other = apart(local()), local()
    series = torch.tensor([0, 1, 2, 1, 0])
    other.load_state_dict(copy.deepcopy(model.state_dict()))
    assert torch.equal(model(batch()[0], series=series), other(batch()[0], series=series))
