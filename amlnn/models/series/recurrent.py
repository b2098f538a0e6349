"""Recurrent networks that read a window and give what follows it.

Registered, in MMEngine's root registry, as `LSTM`, `GRU`, `BidirectionalRNN`, `DeepRNN` and
`SegmentedGRU`. Each takes a `Task`, which the `Forecaster` fills in, and arguments of its own,
which a config gives.
"""

# S series (windows, or windows times target columns), L past steps, F features of a step,
# H hidden units, P future steps, O numbers per series and future step, w steps fed back at once;
# N past and M future segments of W steps, B windows, C target columns (S = B times C), K known
# columns of a future step

from collections.abc import Callable
from math import log
from typing import NamedTuple

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from amlnn.errors import ConfigError

__all__ = ['GRU', 'LSTM', 'BidirectionalRNN', 'DeepRNN', 'RecurrentEncoder', 'SegmentedGRU', 'Task']


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


@MODELS.register_module()
class SegmentedGRU(nn.Module):
    """Reads segments of a window instead of steps: SegRNN (Lin et al. 2023, arXiv:2308.11200).

    A segment of W steps goes through a linear map and a rectifier into a GRU. Its last state is
    then decoded in parallel: for each future segment the same GRU takes one step from it, reading
    a learnt vector, one half of which stands for the segment's position and one for the column.
    Recursive decoding instead reads each forecast segment before it forecasts the next.

    Where columns are known of the future, those of a segment go through a linear map, 0 at first,
    into the vector that is read for it; recursive decoding has a `KnownReadout` of segments.

    A horizon that is no multiple of W is decoded in whole segments and cut.

    Args:
        task: Filled in by the forecaster.
        hidden_size: Units of the GRU, even.
        segment_length: Steps of a segment, W; None for about a twelfth of the look-back.
        num_layers: Layers of the GRU.
        dropout: Chance of dropping an element between layers, and of what is read out.
        channel_embedding: Whether the learnt vector tells columns apart. Without effect where all
            columns are read together, or decoding is recursive.

    Raises:
        ConfigError: `segment_length` does not divide the look-back, or `hidden_size` is odd.
    """

    def __init__(self, task: Task, hidden_size: int = 128, segment_length: int | None = 24,
                 num_layers: int = 1, dropout: float = 0.0, channel_embedding: bool = True):
        super().__init__()
        fitting = [W for W in range(1, task.look_back + 1) if not task.look_back % W]
        if segment_length is None:
            segment_length = min(fitting, key=lambda W: abs(log(12 * W / task.look_back)))
        if segment_length < 1 or task.look_back % segment_length:
            near = sorted(sorted(fitting, key=lambda W: abs(W - segment_length))[:3])
            raise ConfigError(
                f'`segment_length` {segment_length} does not divide the look-back of '
                f'{task.look_back} steps', hint=f'near it are {", ".join(map(str, near))}')
        if hidden_size % 2:
            raise ConfigError(f'SegmentedGRU got `hidden_size` {hidden_size}',
                              hint='an even number: half of it tells positions apart')
        self.task = task
        self.segment_length = segment_length
        self.future_segments = -(-task.horizon // segment_length)
        self.embed = nn.Linear(segment_length * task.features, hidden_size)
        self.rnn = nn.GRU(hidden_size, hidden_size, num_layers, batch_first=True,
                          dropout=dropout if num_layers > 1 else 0.0)
        self.readout = nn.Sequential(nn.Dropout(dropout),
                                     nn.Linear(hidden_size, segment_length * task.outputs))
        if not task.recursive:
            tells_columns = channel_embedding and task.channels > 1
            size = hidden_size // 2 if tells_columns else hidden_size
            self.position = nn.Parameter(torch.randn(self.future_segments, size))
            self.channel = nn.Parameter(torch.randn(task.channels, hidden_size // 2)) \
                if tells_columns else None
        if task.known and task.recursive:
            self.known_readout = KnownReadout(task, hidden_size, dropout, segment_length)
        elif task.known:
            self.embed_known = nn.Linear(segment_length * task.known, hidden_size, bias=False)
            nn.init.zeros_(self.embed_known.weight)

    def forward(self, x_SLF: Tensor, feed_back: FeedBack,
                known_BPK: Tensor | None = None) -> Tensor:
        """Forecast; arguments and result as those of `RecurrentEncoder`."""
        known_BMX = None if known_BPK is None else self._segments(known_BPK)
        x_SNX = x_SLF.reshape(len(x_SLF), -1, self.embed.in_features)
        out_SNH, state_XSH = self.rnn(functional.relu(self.embed(x_SNX)))
        if self.task.recursive:
            y_SPO = self._recursive(out_SNH[:, -1:], state_XSH, feed_back, known_BMX)
        else:
            y_SPO = self.readout(self._parallel(state_XSH, known_BMX)).view(
                len(x_SLF), -1, self.task.outputs)
        return y_SPO[:, :self.task.horizon]

    def _segments(self, known_BPK: Tensor) -> Tensor:
        """Known columns of each future segment side by side, 0 behind the horizon, [B, M, W K]."""
        behind = self.future_segments * self.segment_length - self.task.horizon
        whole_BPK = functional.pad(known_BPK, (0, 0, 0, behind))
        return whole_BPK.reshape(len(known_BPK), self.future_segments, -1)

    def _recursive(self, out_S1H: Tensor, state_XSH: Tensor, feed_back: FeedBack,
                   known_BMX: Tensor | None) -> Tensor:
        segments = []
        while True:
            m = len(segments)
            y_S1X = self.readout(out_S1H)
            if known_BMX is not None:
                y_S1X = y_S1X + self.known_readout(out_S1H.squeeze(1), known_BMX[:, m:m + 1])
            y_SWO = y_S1X.view(len(out_S1H), -1, self.task.outputs)
            segments.append(y_SWO)
            if len(segments) == self.future_segments:
                return torch.cat(segments, 1)
            x_S1X = feed_back(y_SWO, m * self.segment_length).reshape(len(y_SWO), 1, -1)
            out_S1H, state_XSH = self.rnn(functional.relu(self.embed(x_S1X)), state_XSH)

    def _parallel(self, state_XSH: Tensor, known_BMX: Tensor | None) -> Tensor:
        """One step of the GRU for each future segment, [B, C, M, H].

        The step's two matrix products need not be taken for every series and segment: what is read
        is the same in all windows (but for known columns), and the state the same for all segments.
        """
        C = self.task.channels
        x_CMH = self._learnt_vectors()
        if known_BMX is not None:  # from here on [B, C, M, H]
            x_CMH = x_CMH + self.embed_known(known_BMX).unsqueeze(1)
        for layer, h_SH in enumerate(state_XSH):
            if layer and self.rnn.dropout:
                x_CMH = functional.dropout(x_CMH, self.rnn.dropout, self.training)
            own, weight, own_bias, bias = (getattr(self.rnn, f'{name}_l{layer}') for name in (
                'weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'))
            # [C, M, 3 H] at first, [B, C, M, 3 H] in further layers and with known columns
            read = functional.linear(x_CMH, own, own_bias)
            kept_BC1X = functional.linear(h_SH, weight, bias).view(-1, C, 1, read.shape[-1])
            r, z, n = read.chunk(3, -1)
            r_kept, z_kept, n_kept = kept_BC1X.chunk(3, -1)
            n = torch.tanh(torch.addcmul(n, torch.sigmoid(r + r_kept), n_kept))
            x_CMH = torch.lerp(n, h_SH.view(-1, C, 1, h_SH.shape[-1]), torch.sigmoid(z + z_kept))
        return x_CMH

    def _learnt_vectors(self) -> Tensor:
        """What the decoder reads, [C, M, H]."""
        C, M = self.task.channels, self.future_segments
        if self.channel is None:
            return self.position.expand(C, M, -1)
        return torch.cat([self.position.expand(C, M, -1),
                          self.channel.unsqueeze(1).expand(C, M, -1)], -1)


def _stack(kind: type[nn.RNNBase], task: Task, hidden_size: int, num_layers: int, dropout: float,
           bidirectional: bool = False) -> nn.RNNBase:
    # torch warns of a dropout between layers where there is one layer.
    return kind(task.features, hidden_size, num_layers, batch_first=True,
                dropout=dropout if num_layers > 1 else 0.0, bidirectional=bidirectional)
