import pytest
import torch
from test_forecaster import batch, forecaster, in_segments
from torch import nn

from amlnn.errors import ConfigError

SEGMENTS = dict(encoder='SegmentedGRU', own=dict(segment_length=3))


class SegRNN(nn.Module):
    """Lin et al. 2023, section 4, as plainly as it can be said: every state and every vector
    repeated, and the GRU called on all of them."""

    def __init__(self, model):
        super().__init__()
        self.parts = model.encoder
        self.steps = model.horizon

    def forward(self, x_BLC):
        B, _, C = x_BLC.shape
        last = x_BLC[:, -1:]
        x = (x_BLC - last).permute(0, 2, 1).reshape(B * C, -1, self.parts.segment_length)
        _, state = self.parts.rnn(torch.relu(self.parts.embed(x)))
        M = len(self.parts.position)
        vectors = torch.stack([torch.cat([self.parts.position[m], self.parts.channel[c]])
                               for _ in range(B) for c in range(C) for m in range(M)])
        out, _ = self.parts.rnn(vectors.unsqueeze(1), state.repeat_interleave(M, 1))
        return self.parts.readout(out).view(B, C, -1)[..., :self.steps].permute(0, 2, 1) + last


@pytest.mark.parametrize('horizon', [4, 6])
@pytest.mark.parametrize('layers', [1, 2])
def test_parallel_decoding_is_that_of_segrnn_with_its_gradients(horizon, layers):
    own = dict(segment_length=3, num_layers=layers)
    model = forecaster('SegmentedGRU', own=own, horizon=horizon).double()
    inputs = batch()[0].double()
    given, expected = model(inputs, mode='predict').point, SegRNN(model)(inputs)
    torch.testing.assert_close(given, expected)
    weights = list(model.parameters())
    for ours, theirs in zip(torch.autograd.grad(given.square().sum(), weights),
                            torch.autograd.grad(expected.square().sum(), weights), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_recursive_decoding_reads_each_forecast_segment_before_the_next():
    model = forecaster(**SEGMENTS, horizon=6, decoding='recursive', normalization='none')
    inputs = batch()[0]
    parts = model.encoder
    x = inputs.permute(0, 2, 1).reshape(15, 4, 3)
    _, state = parts.rnn(torch.relu(parts.embed(x)))
    first = parts.readout(state[0])
    _, state = parts.rnn(torch.relu(parts.embed(first.unsqueeze(1))), state)
    expected = torch.cat([first, parts.readout(state[0])], 1).view(5, 3, 6).permute(0, 2, 1)
    torch.testing.assert_close(model(inputs, mode='predict').point, expected)


def test_one_further_recursive_step_is_a_forecast_from_the_window_and_the_forecasts():
    model = forecaster('GRU', decoding='recursive', normalization='none')
    inputs = batch()[0]
    first = model(inputs, mode='predict').point[:, :1]
    longer = forecaster('GRU', decoding='recursive', normalization='none', look_back=13)
    longer.load_state_dict(model.state_dict())
    after = longer(torch.cat([inputs, first], 1), mode='predict').point
    torch.testing.assert_close(after[:, :3], model(inputs, mode='predict').point[:, 1:])


@pytest.mark.parametrize('cell', ['LSTM', 'GRU'])
def test_both_directions_are_read_out_at_their_ends(cell):
    model = forecaster('BidirectionalRNN', own=dict(cell=cell), channel_independent=False,
                       normalization='none')
    inputs = batch()[0]
    out = model.encoder.rnn(inputs)[0]
    ends = torch.cat([out[:, -1, :8], out[:, 0, 8:]], -1)
    torch.testing.assert_close(model(inputs, mode='predict').point,
                               model.encoder.readout(ends).view(5, 4, 3))


def test_the_deep_network_has_two_simple_layers():
    rnn = forecaster('DeepRNN').encoder.rnn
    assert isinstance(rnn, nn.RNN)
    assert (rnn.num_layers, rnn.nonlinearity) == (2, 'tanh')


def test_segments_that_do_not_fill_the_look_back_are_refused_with_lengths_that_do():
    with pytest.raises(ConfigError, match='5 does not divide the look-back of 12') as error:
        forecaster('SegmentedGRU', own=dict(segment_length=5))
    assert error.value.hint == 'near it are 3, 4, 6'


@pytest.mark.parametrize('encoder, own', [
    ('SegmentedGRU', dict(segment_length=3, hidden_size=7)), ('BidirectionalRNN', dict(cell='RNN'))
], ids=str)
def test_an_encoder_refuses_what_it_cannot_be(encoder, own):
    with pytest.raises(ConfigError) as error:
        forecaster(encoder, own=own)
    assert error.value.hint


OPTIONS = [
    ('LSTM', dict(hidden_size=16)), ('LSTM', dict(num_layers=2)), ('LSTM', dict(dropout=0.9)),
    ('GRU', dict(hidden_size=16)), ('GRU', dict(num_layers=2)), ('GRU', dict(dropout=0.9)),
    ('DeepRNN', dict(hidden_size=16)), ('DeepRNN', dict(num_layers=4)),
    ('DeepRNN', dict(dropout=0.9)),
    ('BidirectionalRNN', dict(cell='GRU')), ('BidirectionalRNN', dict(hidden_size=16)),
    ('BidirectionalRNN', dict(num_layers=2)), ('BidirectionalRNN', dict(dropout=0.9)),
    ('SegmentedGRU', dict(hidden_size=16)), ('SegmentedGRU', dict(segment_length=6)),
    ('SegmentedGRU', dict(num_layers=2)), ('SegmentedGRU', dict(dropout=0.9)),
    ('SegmentedGRU', dict(channel_embedding=False)),
    ('SegmentedSLSTM', dict(hidden_size=16)), ('SegmentedSLSTM', dict(segment_length=6)),
    ('SegmentedSLSTM', dict(num_layers=2)), ('SegmentedSLSTM', dict(dropout=0.9)),
    ('SegmentedSLSTM', dict(num_heads=2)), ('SegmentedSLSTM', dict(forget_gate='exponential')),
    ('SegmentedSLSTM', dict(channel_embedding=False)),
]


@pytest.mark.parametrize('encoder, option', OPTIONS, ids=str)
def test_every_option_of_an_encoder_changes_the_forecast(encoder, option):
    base = SEGMENTS['own'] if in_segments(encoder) else {}
    inputs = batch()[0]
    changed = forecaster(encoder, own=base | option)(inputs)
    assert not torch.equal(changed, forecaster(encoder, own=base)(inputs))
    if 'dropout' not in option:
        return
    model = forecaster(encoder, own=base | option).eval()
    assert torch.equal(model(inputs), model(inputs))
