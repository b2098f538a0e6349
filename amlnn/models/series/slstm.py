"""The sLSTM: a recurrent cell with exponential gates, a normaliser and a stabiliser.

Beck et al. 2024, "xLSTM: Extended Long Short-Term Memory" (arXiv:2405.04517), section 2.2 and
appendix A.2. Here are its layers alone, without the blocks that the paper builds around them.
"""

# S series, N steps, X features of a step, H units, G heads of D units, Z = 4 H pre-activations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from amlnn.errors import ConfigError

__all__ = ['FORGET_GATES', 'SLSTM', 'SLSTMState']

FORGET_GATES = ('sigmoid', 'exponential')
"""What a forget gate can be."""

_LONGEST = 5.0  # pre-activation of the slowest unit's forget gate at first: it keeps 99 %


class SLSTMState(NamedTuple):
    """What a layer knows after a step, [S, H] each.

    Cell and normaliser are in units of exp(stabiliser): the largest of what has flowed into a
    unit counts 1 there, so neither can overflow and the normaliser is never below 1.
    """

    hidden: Tensor
    cell: Tensor
    normaliser: Tensor
    stabiliser: Tensor


class SLSTM(nn.Module):
    """Layers of sLSTM cells, one reading the other's states.

    Of the step's pre-activations, input z, gates i, f and o:
    c = f c' + exp(i) tanh(z), n = f n' + exp(i), h = sigmoid(o) c / n, where f is sigmoid(f) or
    exp(f), and c', n', h' are those of the step before. So h is a mean of what was read, weighted
    by the gates. A state is read back within a head alone.

    The first step has nothing to forget: with its gate's whole weight on itself, h is
    sigmoid(o) tanh(z).

    Args:
        width: Features of a step, and units of each layer, H.
        num_layers: How many layers.
        num_heads: Heads, G: blocks of the recurrent matrix.
        forget_gate: 'sigmoid' or 'exponential'.
        dropout: Chance of dropping an element between layers.

    Raises:
        ConfigError: the heads do not divide the width, or there is no such gate.
    """

    def __init__(self, width: int, num_layers: int = 1, num_heads: int = 4,
                 forget_gate: str = 'sigmoid', dropout: float = 0.0):
        super().__init__()
        if num_heads < 1 or width % num_heads:
            raise ConfigError(f'an sLSTM of {width} units has no {num_heads} heads of one size',
                              hint='num_heads=4 or another number that divides hidden_size')
        if forget_gate not in FORGET_GATES:
            raise ConfigError(f'an sLSTM has no forget gate `{forget_gate}`',
                              hint=f'one of {", ".join(FORGET_GATES)}')
        self.forget_gate, self.dropout, self.num_heads = forget_gate, dropout, num_heads
        self.read = nn.ModuleList(nn.Linear(width, 4 * width) for _ in range(num_layers))
        size = width // num_heads
        self.kept = nn.ParameterList(
            torch.empty(num_heads, size, 4 * size).uniform_(-1, 1) / math.sqrt(size)
            for _ in range(num_layers))
        for layer in self.read:  # units that remember a few steps beside some that do for long
            begin_H = torch.linspace(0, _LONGEST, width)
            if forget_gate == 'exponential':
                begin_H = functional.logsigmoid(begin_H)
            with torch.no_grad():
                layer.bias[2 * width:3 * width] = begin_H

    def forward(self, x_SNX: Tensor, states: list[SLSTMState] | None = None
                ) -> tuple[Tensor, list[SLSTMState]]:
        """Outputs [S, N, H] of the last layer, and each layer's state after the last step.

        Args:
            x_SNX: What is read.
            states: Those of the layers before the first step; None where it is the first at all.
        """
        last = []
        for layer, read in enumerate(self.read):
            if layer and self.dropout:
                x_SNX = functional.dropout(x_SNX, self.dropout, self.training)
            state = None if states is None else states[layer]
            hidden = []
            for read_SZ in read(x_SNX).unbind(1):
                kept_SZ = None if state is None else self.recurrence(layer, state.hidden)
                state = self.step(read_SZ, kept_SZ, state)
                hidden.append(state.hidden)
            x_SNX = torch.stack(hidden, 1)
            last.append(state)
        return x_SNX, last

    def recurrence(self, layer: int, h_SH: Tensor) -> Tensor:
        """[S, 4 H]: what a state adds to the pre-activations of the next step."""
        h_GSD = h_SH.unflatten(1, (self.num_heads, -1)).transpose(0, 1)
        # z, i, f, o each of all heads, as `read` has them
        gates_GSZ = torch.bmm(h_GSD, self.kept[layer]).unflatten(2, (4, -1))
        return gates_GSZ.permute(1, 2, 0, 3).flatten(1)

    def step(self, read_XZ: Tensor, kept_XZ: Tensor | None, state: SLSTMState | None) -> SLSTMState:
        """The state after a step, from both parts of its pre-activations and the state before.

        All are broadcast against each other; a first step has no state, and nothing is kept.
        """
        gates_XZ = read_XZ if kept_XZ is None else read_XZ + kept_XZ
        z, i, f, o = gates_XZ.chunk(4, -1)
        z, o = torch.tanh(z), torch.sigmoid(o)
        if state is None:
            take = torch.exp(i - i.detach())  # 1, whose gradient counts from the next step on
            return SLSTMState(o * z, take * z, take, i.detach())
        log_f = functional.logsigmoid(f) if self.forget_gate == 'sigmoid' else f
        kept = log_f + state.stabiliser
        # The hidden state does not depend on the stabiliser, so no gradient goes through it.
        stabiliser = torch.maximum(kept, i).detach()
        forget, take = torch.exp(kept - stabiliser), torch.exp(i - stabiliser)
        cell = forget * state.cell + take * z
        normaliser = forget * state.normaliser + take
        return SLSTMState(o * cell / normaliser, cell, normaliser, stabiliser)
