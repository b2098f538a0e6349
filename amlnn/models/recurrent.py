"""Recurrent networks that read a window and give what follows it.

Registered, in MMEngine's root registry, as `LSTM` and `GRU`. Each takes a `Task`, which the
`Forecaster` fills in, and arguments of its own, which a config gives.
"""

# S series (windows, or windows times target columns), L past steps, F features of a step,
# H hidden units, P future steps, K numbers per series and future step, w steps fed back at once

from collections.abc import Callable
from typing import NamedTuple

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

__all__ = ['GRU', 'LSTM', 'RecurrentEncoder', 'Task']


class Task(NamedTuple):
    """What an encoder has to read and to give."""

    look_back: int
    """L: past steps of a window."""
    horizon: int
    """P: future steps."""
    features: int
    """F: numbers per past step."""
    outputs: int
    """K: numbers per future step."""
    channels: int = 1
    """How many target columns take turns in the series axis: 1 where they are read together."""
    recursive: bool = False
    """Whether what was forecast is read again, step by step, instead of all steps at once."""


class RecurrentEncoder(nn.Module):
    """A recurrent network, and a linear map from its last state to the future.

    Args:
        task: What to read and to give.
        rnn: The network, batch first.
        width: Size of the state that is read out.
        dropout: Chance of dropping an element of that state in training.
    """

    def __init__(self, task: Task, rnn: nn.RNNBase, width: int, dropout: float):
        super().__init__()
        self.task = task
        self.rnn = rnn
        steps = 1 if task.recursive else task.horizon
        self.readout = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, steps * task.outputs))

    def forward(self, x_SLF: Tensor, feed_back: Callable[[Tensor], Tensor]) -> Tensor:
        """Forecast.

        Args:
            x_SLF: Past steps.
            feed_back: Makes of forecast steps [S, w, K] the features [S, w, F] of the same steps;
                called in recursive decoding only.

        Returns:
            [S, P, K].
        """
        out_SLH, state = self.rnn(x_SLF)
        h_SH = out_SLH[:, -1]
        if not self.task.recursive:
            return self.readout(h_SH).unflatten(1, (self.task.horizon, self.task.outputs))
        return self._roll_out(self.rnn, h_SH, state, feed_back)

    def _roll_out(self, decoder: nn.RNNBase, h_SH: Tensor, state: Tensor | tuple[Tensor, Tensor],
                  feed_back: Callable[[Tensor], Tensor]) -> Tensor:
        steps_S1K = [self.readout(h_SH).unsqueeze(1)]
        while len(steps_S1K) < self.task.horizon:
            out_S1H, state = decoder(feed_back(steps_S1K[-1]), state)
            steps_S1K.append(self.readout(out_S1H))
        return torch.cat(steps_S1K, 1)


@MODELS.register_module()
class LSTM(RecurrentEncoder):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), with forget gates.

    Args:
        task: Filled in by the forecaster.
        hidden_size: Units of each layer.
        num_layers: Layers, one reading the other's states.
        dropout: Chance of dropping an element between layers, and of the state read out.
    """

    def __init__(self, task: Task, hidden_size: int = 64, num_layers: int = 1,
                 dropout: float = 0.0):
        super().__init__(task, _stack(nn.LSTM, task, hidden_size, num_layers, dropout),
                         hidden_size, dropout)


@MODELS.register_module()
class GRU(RecurrentEncoder):
    """Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078).

    Args:
        task: Filled in by the forecaster.
        hidden_size: Units of each layer.
        num_layers: Layers, one reading the other's states.
        dropout: Chance of dropping an element between layers, and of the state read out.
    """

    def __init__(self, task: Task, hidden_size: int = 64, num_layers: int = 1,
                 dropout: float = 0.0):
        super().__init__(task, _stack(nn.GRU, task, hidden_size, num_layers, dropout),
                         hidden_size, dropout)


def _stack(kind: type[nn.RNNBase], task: Task, hidden_size: int, num_layers: int, dropout: float,
           bidirectional: bool = False) -> nn.RNNBase:
    # torch warns of a dropout between layers where there is one layer.
    return kind(task.features, hidden_size, num_layers, batch_first=True,
                dropout=dropout if num_layers > 1 else 0.0, bidirectional=bidirectional)
