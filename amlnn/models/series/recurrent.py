"""Recurrent networks that read a window and give what follows it.

Registered, in MMEngine's root registry, as `LSTM`, `GRU`, `BidirectionalRNN` and `DeepRNN`; those
that read segments are in `segmented.py`. Each takes a `Task`, which the `Forecaster` fills in, and
arguments of its own, which a config gives.
"""

# S series (windows, or windows times target columns), L past steps, F features of a step,
# H hidden units, P future steps, O numbers per series and future step, w steps fed back at once;
# B windows, C target columns (S = B times C), K known columns of a future step, Q times some steps

from collections.abc import Callable
from typing import NamedTuple

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from amlnn.errors import ConfigError

__all__ = ['GRU', 'LSTM', 'BidirectionalRNN', 'DeepRNN', 'FeedBack', 'KnownReadout',
           'RecurrentEncoder', 'Task']


FeedBack = Callable[[Tensor, int], Tensor]
"""Makes features of forecast steps, of which the first has that number; see RecurrentEncoder."""


class Task(NamedTuple):
    """What an encoder has to read and to give."""

    look_back: int
    """L: past steps of a window."""
    horizon: int
    """P: future steps."""
    features: int
    """F: numbers per past step."""
    outputs: int
    """O: numbers per future step."""
    channels: int = 1
    """How many target columns take turns in the series axis: 1 where they are read together."""
    recursive: bool = False
    """Whether what was forecast is read again, step by step, instead of all steps at once."""
    known: int = 0
    """K: columns that are known of the future, beside the features."""


class KnownReadout(nn.Module):
    """What the known columns of a future step add to what is read out of a state.

    A hidden layer reads both, so that a holiday may count more in one state than in another. The
    map behind it is 0 at first: training begins as it would without known columns.

    Args:
        task: What to read and to give.
        width: Size of the state.
        dropout: Chance of dropping an element of the state in training.
        steps: Future steps that are read out together.
    """

    def __init__(self, task: Task, width: int, dropout: float, steps: int = 1):
        super().__init__()
        self.channels = task.channels
        self.state = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, width))
        self.known = nn.Linear(steps * task.known, width, bias=False)
        self.out = nn.Linear(width, steps * task.outputs, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, h_SH: Tensor, known_BQX: Tensor) -> Tensor:
        """[S, Q, steps * O] of a state and the known columns of Q times `steps` steps."""
        state_BC1H = self.state(h_SH).view(-1, self.channels, 1, self.known.out_features)
        hidden_BCQH = functional.relu(state_BC1H + self.known(known_BQX).unsqueeze(1))
        return self.out(hidden_BCQH).flatten(0, 1)


class RecurrentEncoder(nn.Module):
    """A recurrent network, and a linear map from its last state to the future.

    Where columns are known of the future, a `KnownReadout` is added to that map.

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
        self.known_readout = KnownReadout(task, width, dropout) if task.known else None

    def forward(self, x_SLF: Tensor, feed_back: FeedBack,
                known_BPK: Tensor | None = None) -> Tensor:
        """Forecast.

        Args:
            x_SLF: Past steps.
            feed_back: Makes of forecast steps [S, w, O], and the number of the first of them, the
                features [S, w, F] of the same steps; called in recursive decoding only.
            known_BPK: Known columns of the future, given where the task has any.

        Returns:
            [S, P, O].
        """
        _, state = self.rnn(x_SLF)
        # Not the outputs' last step: its gradient would be as large as all steps.
        h_SH = (state[0] if isinstance(state, tuple) else state)[-1]
        if not self.task.recursive:
            return self._direct(h_SH, known_BPK)
        return self._roll_out(self.rnn, h_SH, state, feed_back, known_BPK)

    def _direct(self, h_SH: Tensor, known_BPK: Tensor | None) -> Tensor:
        y_SPO = self.readout(h_SH).unflatten(1, (self.task.horizon, self.task.outputs))
        return y_SPO if known_BPK is None else y_SPO + self.known_readout(h_SH, known_BPK)

    def _roll_out(self, decoder: nn.RNNBase, h_SH: Tensor, state: Tensor | tuple[Tensor, Tensor],
                  feed_back: FeedBack, known_BPK: Tensor | None) -> Tensor:
        steps_S1O: list[Tensor] = []
        while True:
            step = len(steps_S1O)
            y_S1O = self.readout(h_SH).unsqueeze(1)
            if known_BPK is not None:
                y_S1O = y_S1O + self.known_readout(h_SH, known_BPK[:, step:step + 1])
            steps_S1O.append(y_S1O)
            if len(steps_S1O) == self.task.horizon:
                return torch.cat(steps_S1O, 1)
            out_S1H, state = decoder(feed_back(y_S1O, step), state)
            h_SH = out_S1H.squeeze(1)


class StackedRNN(RecurrentEncoder):
    """Recurrent layers of one kind, one reading the other's states.

    Args:
        task: Filled in by the forecaster.
        hidden_size: Units of each layer.
        num_layers: How many.
        dropout: Chance of dropping an element between layers, and of the state read out.
    """

    kind: type[nn.RNNBase]

    def __init__(self, task: Task, hidden_size: int = 64, num_layers: int = 1,
                 dropout: float = 0.0):
        super().__init__(task, _stack(self.kind, task, hidden_size, num_layers, dropout),
                         hidden_size, dropout)


@MODELS.register_module()
class LSTM(StackedRNN):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), with forget gates."""

    kind = nn.LSTM


@MODELS.register_module()
class GRU(StackedRNN):
    """Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078)."""

    kind = nn.GRU


@MODELS.register_module()
class DeepRNN(StackedRNN):
    """Simple recurrent layers with tanh (Elman 1990), two unless told otherwise."""

    kind = nn.RNN

    def __init__(self, task: Task, hidden_size: int = 64, num_layers: int = 2,
                 dropout: float = 0.0):
        super().__init__(task, hidden_size, num_layers, dropout)


_CELLS = dict(LSTM=nn.LSTM, GRU=nn.GRU)


@MODELS.register_module()
class BidirectionalRNN(RecurrentEncoder):
    """Reads the look-back in both directions (Schuster and Paliwal 1997), and never the future.

    Each direction's last state is read out: that of the backward one has read the first step last.
    Recursive decoding, which cannot read backwards, goes on with a cell of its own, from the state
    of the last layer.

    Args:
        task: Filled in by the forecaster.
        cell: 'LSTM' or 'GRU'.
        hidden_size: Units of each layer and direction.
        num_layers: Layers, one reading the other's states.
        dropout: Chance of dropping an element between layers, and of the state read out.

    Raises:
        ConfigError: there is no such cell.
    """

    def __init__(self, task: Task, cell: str = 'LSTM', hidden_size: int = 64, num_layers: int = 1,
                 dropout: float = 0.0):
        if cell not in _CELLS:
            raise ConfigError(f'BidirectionalRNN has no cell `{cell}`',
                              hint=f'one of {", ".join(_CELLS)}')
        kind = _CELLS[cell]
        super().__init__(task, _stack(kind, task, hidden_size, num_layers, dropout, True),
                         2 * hidden_size, dropout)
        if task.recursive:
            self.decoder = kind(task.features, 2 * hidden_size, batch_first=True)

    def forward(self, x_SLF: Tensor, feed_back: FeedBack,
                known_BPK: Tensor | None = None) -> Tensor:
        _, state = self.rnn(x_SLF)
        if isinstance(state, tuple):
            state = h_1SH, _ = tuple(_both_directions(part) for part in state)
        else:
            state = h_1SH = _both_directions(state)
        if not self.task.recursive:
            return self._direct(h_1SH[0], known_BPK)
        return self._roll_out(self.decoder, h_1SH[0], state, feed_back, known_BPK)


def _both_directions(state_XSH: Tensor) -> Tensor:
    """The last layer's states of both directions, side by side, [1, S, 2 H]."""
    return torch.cat([state_XSH[-2], state_XSH[-1]], -1).unsqueeze(0)


def _stack(kind: type[nn.RNNBase], task: Task, hidden_size: int, num_layers: int, dropout: float,
           bidirectional: bool = False) -> nn.RNNBase:
    # torch warns of a dropout between layers where there is one layer.
    return kind(task.features, hidden_size, num_layers, batch_first=True,
                dropout=dropout if num_layers > 1 else 0.0, bidirectional=bidirectional)
