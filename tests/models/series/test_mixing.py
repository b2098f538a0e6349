"""Columns that read each other before a network reads each by itself."""

import numpy as np
import pytest
import torch
from test_forecaster import ENCODERS, batch, forecaster
from torch import nn

from amlnn.errors import ConfigError
from amlnn.models.series.mixing import ColumnMixer

MIXING = dict(type='ColumnMixer', hidden_size=4, dropout=0.0)


def mixed(**options):
    """A model whose mixing adds something, as it does not at first."""
    model = forecaster(mixing=options.pop('mixing', MIXING), **options)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in model.mixing.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator))
    return model


def test_a_column_is_added_what_the_small_network_makes_of_all_columns_of_the_step():
    torch.manual_seed(0)
    mixer = ColumnMixer(3, hidden_size=5, dropout=0.0)
    nn.init.normal_(mixer.out[0].weight)
    weights = [each.detach().numpy() for each in mixer.parameters()]
    z = torch.randn(2, 4, 3)
    for window, step in np.ndindex(2, 4):
        column = z[window, step].numpy()
        hidden = np.maximum(weights[0] @ column + weights[1], 0)
        torch.testing.assert_close(mixer(z)[window, step].detach(), torch.from_numpy(
            column + weights[2] @ hidden + weights[3]))


@pytest.mark.parametrize('encoder', ENCODERS)
@pytest.mark.parametrize('decoding', ['direct', 'recursive'])
def test_training_begins_as_without_and_then_columns_read_each_other(encoder, decoding):
    inputs = batch()[0]
    plain = forecaster(encoder, decoding=decoding)
    model = forecaster(encoder, decoding=decoding, mixing=MIXING)
    model.load_state_dict(plain.state_dict(), strict=False)
    assert torch.equal(model(inputs), plain(inputs))
    other = inputs.clone()
    other[..., 1] += torch.linspace(0, 1, 12)
    for each, reads in ((model, False), (mixed(encoder=encoder, decoding=decoding), True)):
        same = (each(inputs) == each(other)).flatten(3).all(-1).all(0).all(0)
        assert same.tolist() == [not reads, False, not reads]


def test_every_weight_of_it_learns():
    model = mixed()
    inputs, targets = batch()
    model(inputs, targets, mode='loss')['loss'].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_what_is_fed_back_is_mixed_as_the_past_is():
    model = mixed(decoding='recursive', normalization='none')
    longer = forecaster(decoding='recursive', normalization='none', mixing=MIXING, look_back=13)
    longer.load_state_dict(model.state_dict())
    inputs = batch()[0]
    found = model(inputs, mode='predict').point
    after = longer(torch.cat([inputs, found[:, :1]], 1), mode='predict').point
    torch.testing.assert_close(after[:, :3], found[:, 1:])


@pytest.mark.parametrize('option', [dict(hidden_size=7), dict(dropout=0.9)], ids=str)
def test_every_option_changes_the_forecast(option):
    inputs = batch()[0]
    assert not torch.equal(mixed(mixing=MIXING | option)(inputs), mixed()(inputs))


@pytest.mark.parametrize('options', [dict(channels=1), dict(channel_independent=False),
                                     dict(mixing=MIXING | dict(hidden_size=0))], ids=str)
def test_what_mixes_nothing_is_refused(options):
    with pytest.raises(ConfigError) as error:
        forecaster(**dict(mixing=MIXING) | options)
    assert error.value.hint
