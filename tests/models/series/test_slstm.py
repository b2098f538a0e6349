"""The sLSTM against its equations, step by step in numpy, and as an encoder of segments."""

import numpy as np
import pytest
import torch
from test_forecaster import batch, forecaster

from amlnn.errors import ConfigError
from amlnn.models.series.slstm import SLSTM

GATES = ['sigmoid', 'exponential']


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_the_equations(layer, x_SNX):
    """Beck et al. 2024, equations 8 to 14 without the stabiliser, a series, a step, a head at a
    time; of one layer."""
    weight, bias = (each.detach().numpy() for each in (layer.read[0].weight, layer.read[0].bias))
    kept = layer.kept[0].detach().numpy()
    heads, size = kept.shape[:2]
    H = heads * size
    out = np.zeros((*x_SNX.shape[:2], H))
    for s, series in enumerate(x_SNX):
        c, n, h = np.zeros(H), np.zeros(H), np.zeros(H)
        for t, x in enumerate(series):
            z, i, f, o = (weight @ x + bias).reshape(4, H)
            before = h.copy()
            for g in range(heads):
                own = slice(g * size, (g + 1) * size)
                matrix = kept[g].reshape(size, 4, size)
                for gate, each in enumerate((z, i, f, o)):
                    each[own] += before[own] @ matrix[:, gate]
            f = sigmoid(f) if layer.forget_gate == 'sigmoid' else np.exp(f)
            c = f * c + np.exp(i) * np.tanh(z)
            n = f * n + np.exp(i)
            h = sigmoid(o) * c / n
            out[s, t] = h
    return out


@pytest.mark.parametrize('forget_gate', GATES)
@pytest.mark.parametrize('heads', [1, 2, 6])
def test_states_are_those_of_the_equations(forget_gate, heads):
    torch.manual_seed(heads)
    layer = SLSTM(6, num_heads=heads, forget_gate=forget_gate).double()
    x = torch.randn(3, 9, 6).double()
    out, states = layer(x)
    np.testing.assert_allclose(out.detach(), by_the_equations(layer, x.numpy()), rtol=1e-10)
    assert torch.equal(states[0].hidden, out[:, -1])


@pytest.mark.parametrize('forget_gate', GATES)
def test_a_sequence_may_be_read_in_two_parts(forget_gate):
    layer = SLSTM(4, num_layers=2, num_heads=2, forget_gate=forget_gate)
    x = torch.randn(3, 9, 4)
    whole, _ = layer(x)
    first, states = layer(x[:, :5])
    second, _ = layer(x[:, 5:], states)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)


@pytest.mark.parametrize('forget_gate', GATES)
@pytest.mark.parametrize('scale', [1e2, 1e4, 1e6])
def test_large_pre_activations_and_their_gradients_stay_finite(forget_gate, scale):
    torch.manual_seed(0)
    layer = SLSTM(8, num_layers=2, forget_gate=forget_gate)
    x = (scale * torch.randn(16, 30, 8)).requires_grad_()
    out, states = layer(x)
    assert torch.isfinite(out).all() and out.abs().max() <= 1
    for state in states:
        assert (state.normaliser >= 1).all() and all(torch.isfinite(each).all() for each in state)
    out.square().sum().backward()
    for weight in (x, *layer.parameters()):
        assert torch.isfinite(weight.grad).all()


@pytest.mark.parametrize('forget_gate', GATES)
def test_gradients_are_those_of_finite_differences_although_the_stabiliser_has_none(forget_gate):
    torch.manual_seed(1)
    layer = SLSTM(4, num_layers=2, num_heads=2, forget_gate=forget_gate).double()
    x = torch.randn(2, 4, 4).double().requires_grad_()
    names = [name for name, _ in layer.named_parameters()]

    def read(x, *weights):
        return torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), (x,))[0]

    assert torch.autograd.gradcheck(read, (x, *layer.parameters()), fast_mode=True)


@pytest.mark.parametrize('layers', [1, 2])
@pytest.mark.parametrize('horizon', [4, 6])
def test_parallel_decoding_takes_one_step_for_each_future_segment(layers, horizon):
    own = dict(segment_length=3, num_layers=layers)
    model = forecaster('SegmentedSLSTM', own=own, horizon=horizon).double()
    inputs = batch()[0].double()
    parts, last = model.encoder, inputs[:, -1:]
    x = (inputs - last).permute(0, 2, 1).reshape(15, 4, 3)
    _, states = parts.rnn(torch.relu(parts.embed(x)))
    forecast = []
    for m, position in enumerate(parts.position):  # the vectors repeated, and the layers called
        vectors = torch.stack([torch.cat([position, parts.channel[c]]) for _ in range(5)
                               for c in range(3)])
        out, _ = parts.rnn(vectors.unsqueeze(1), states)
        forecast.append(parts.readout(out[:, 0]))
        assert m < 2
    expected = torch.cat(forecast, 1).view(5, 3, -1)[..., :horizon].permute(0, 2, 1) + last
    torch.testing.assert_close(model(inputs, mode='predict').point, expected)


@pytest.mark.parametrize('own', [dict(num_heads=3), dict(num_heads=0), dict(forget_gate='tanh'),
                                 dict(hidden_size=7)], ids=str)
def test_what_no_slstm_can_be_is_refused(own):
    with pytest.raises(ConfigError) as error:
        forecaster('SegmentedSLSTM', own=dict(segment_length=3) | own)
    assert error.value.hint
