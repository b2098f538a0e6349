"""Recurrent networks that read segments of a window instead of steps, and forecast segments.

Registered as `SegmentedGRU` and `SegmentedSLSTM`. What reads and decodes segments is common to
them; they say which recurrent layers they have, and how these take one step for many segments.
"""

# S series (windows, or windows times target columns), L past steps, F features of a step,
# H hidden units, P future steps, O numbers per series and future step,
# N past and M future segments of W steps, B windows, C target columns (S = B times C), K known
# columns of a future step, Z pre-activations of a cell

from math import log
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from amlnn.errors import ConfigError
from amlnn.models.series.recurrent import FeedBack, KnownReadout, Task
from amlnn.models.series.slstm import SLSTM, SLSTMState

__all__ = ['SegmentedEncoder', 'SegmentedGRU', 'SegmentedSLSTM']


class SegmentedEncoder(nn.Module):
    """Reads segments of a window instead of steps, as SegRNN does (Lin et al. 2023,
    arXiv:2308.11200).

    A segment of W steps goes through a linear map and a rectifier into recurrent layers. Their last
    state is then decoded in parallel: for each future segment the same layers take one step from
    it, reading a learnt vector, one half of which stands for the segment's position and one for the
    column. Recursive decoding instead reads each forecast segment before it forecasts the next.

    Where columns are known of the future, those of a segment go through a linear map, 0 at first,
    into the vector that is read for it; recursive decoding has a `KnownReadout` of segments.

    A horizon that is no multiple of W is decoded in whole segments and cut.

    Args:
        task: Filled in by the forecaster.
        hidden_size: Units of a recurrent layer, even.
        segment_length: Steps of a segment, W; None for about a twelfth of the look-back.
        num_layers: Recurrent layers.
        dropout: Chance of dropping an element between layers, and of what is read out.
        channel_embedding: Whether the learnt vector tells columns apart. Without effect where all
            columns are read together, or decoding is recursive.
        cell: What further is said to `_recurrent`.

    Raises:
        ConfigError: `segment_length` does not divide the look-back, or `hidden_size` is odd.
    """

    def __init__(self, task: Task, hidden_size: int, segment_length: int | None, num_layers: int,
                 dropout: float, channel_embedding: bool, **cell):
        super().__init__()
        W = _segment_length(segment_length, task.look_back)
        if hidden_size % 2:
            raise ConfigError(f'{type(self).__name__} got `hidden_size` {hidden_size}',
                              hint='an even number: half of it tells positions apart')
        self.task = task
        self.segment_length = W
        self.future_segments = -(-task.horizon // W)
        self.embed = nn.Linear(W * task.features, hidden_size)
        self.rnn = self._recurrent(hidden_size, num_layers, dropout if num_layers > 1 else 0.0,
                                   **cell)
        self.readout = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden_size, W * task.outputs))
        if not task.recursive:
            tells_columns = channel_embedding and task.channels > 1
            size = hidden_size // 2 if tells_columns else hidden_size
            self.position = nn.Parameter(torch.randn(self.future_segments, size))
            self.channel = nn.Parameter(torch.randn(task.channels, hidden_size // 2)) \
                if tells_columns else None
        if task.known and task.recursive:
            self.known_readout = KnownReadout(task, hidden_size, dropout, W)
        elif task.known:
            self.embed_known = nn.Linear(W * task.known, hidden_size, bias=False)
            nn.init.zeros_(self.embed_known.weight)

    def _recurrent(self, width: int, num_layers: int, dropout: float, **cell) -> nn.Module:
        """The recurrent layers: called with [S, N, H] and a state, they give [S, N, H] and the next
        state, in which each layer has its own; `dropout` is the chance between layers."""
        raise NotImplementedError

    def _step(self, layer: int, x_CMH: Tensor, state: Any) -> Tensor:
        """Outputs [B, C, M, H] of one step of a layer for each future segment.

        The two matrix products of a step need not be taken for every series and segment: what is
        read is the same in all windows (but for known columns), and the state the same for all
        segments.

        Args:
            layer: Which.
            x_CMH: What is read, [C, M, H] or [B, C, M, H].
            state: Of that layer after the past.
        """
        raise NotImplementedError

    def forward(self, x_SLF: Tensor, feed_back: FeedBack,
                known_BPK: Tensor | None = None) -> Tensor:
        """Forecast; arguments and result as those of `RecurrentEncoder`."""
        known_BMX = None if known_BPK is None else self._segments(known_BPK)
        x_SNX = x_SLF.reshape(x_SLF.shape[0], -1, self.embed.in_features)
        out_SNH, state = self.rnn(functional.relu(self.embed(x_SNX)))
        if self.task.recursive:
            y_SPO = self._recursive(out_SNH[:, -1:], state, feed_back, known_BMX)
        else:
            y_SPO = self.readout(self._parallel(state, known_BMX)).view(
                x_SLF.shape[0], -1, self.task.outputs)
        return y_SPO[:, :self.task.horizon]

    def _segments(self, known_BPK: Tensor) -> Tensor:
        """Known columns of each future segment side by side, 0 behind the horizon, [B, M, W K]."""
        behind = self.future_segments * self.segment_length - self.task.horizon
        whole_BPK = functional.pad(known_BPK, (0, 0, 0, behind))
        return whole_BPK.reshape(known_BPK.shape[0], self.future_segments, -1)

    def _recursive(self, out_S1H: Tensor, state: Any, feed_back: FeedBack,
                   known_BMX: Tensor | None) -> Tensor:
        segments = []
        while True:
            m = len(segments)
            y_S1X = self.readout(out_S1H)
            if known_BMX is not None:
                y_S1X = y_S1X + self.known_readout(out_S1H.squeeze(1), known_BMX[:, m:m + 1])
            y_SWO = y_S1X.view(out_S1H.shape[0], -1, self.task.outputs)
            segments.append(y_SWO)
            if len(segments) == self.future_segments:
                return torch.cat(segments, 1)
            x_S1X = feed_back(y_SWO, m * self.segment_length).reshape(y_SWO.shape[0], 1, -1)
            out_S1H, state = self.rnn(functional.relu(self.embed(x_S1X)), state)

    def _parallel(self, states: Any, known_BMX: Tensor | None) -> Tensor:
        """One step of the layers for each future segment, [B, C, M, H]."""
        x_CMH = self._learnt_vectors()
        if known_BMX is not None:  # from here on [B, C, M, H]
            x_CMH = x_CMH + self.embed_known(known_BMX).unsqueeze(1)
        for layer, state in enumerate(states):
            if layer and self.rnn.dropout:
                x_CMH = functional.dropout(x_CMH, self.rnn.dropout, self.training)
            x_CMH = self._step(layer, x_CMH, state)
        return x_CMH

    def _learnt_vectors(self) -> Tensor:
        """What the decoder reads, [C, M, H]."""
        C, M = self.task.channels, self.future_segments
        if self.channel is None:
            return self.position.expand(C, M, -1)
        return torch.cat([self.position.expand(C, M, -1),
                          self.channel.unsqueeze(1).expand(C, M, -1)], -1)

    def _for_segments(self, state_SH: Tensor) -> Tensor:
        """[B, C, 1, H]: a state, the same for all future segments."""
        return state_SH.view(-1, self.task.channels, 1, state_SH.shape[-1])


def _segment_length(wanted: int | None, look_back: int) -> int:
    fitting = [W for W in range(1, look_back + 1) if not look_back % W]
    if wanted is None:
        return min(fitting, key=lambda W: abs(log(12 * W / look_back)))
    if wanted < 1 or look_back % wanted:
        near = sorted(sorted(fitting, key=lambda W: abs(W - wanted))[:3])
        raise ConfigError(f'`segment_length` {wanted} does not divide the look-back of {look_back} '
                          'steps', hint=f'near it are {", ".join(map(str, near))}')
    return wanted


@MODELS.register_module()
class SegmentedGRU(SegmentedEncoder):
    """Segments read by gated recurrent units: SegRNN, see `SegmentedEncoder`.

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
        super().__init__(task, hidden_size, segment_length, num_layers, dropout, channel_embedding)

    def _recurrent(self, width: int, num_layers: int, dropout: float, **cell) -> nn.GRU:
        return nn.GRU(width, width, num_layers, batch_first=True, dropout=dropout)

    def _step(self, layer: int, x_CMH: Tensor, state: Tensor) -> Tensor:
        own, weight, own_bias, bias = (getattr(self.rnn, f'{name}_l{layer}') for name in (
            'weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'))
        # [C, M, 3 H] at first, [B, C, M, 3 H] in further layers and with known columns
        r, z, n = functional.linear(x_CMH, own, own_bias).chunk(3, -1)
        kept_BC1X = self._for_segments(functional.linear(state, weight, bias))
        r_kept, z_kept, n_kept = kept_BC1X.chunk(3, -1)
        n = torch.tanh(torch.addcmul(n, torch.sigmoid(r + r_kept), n_kept))
        return torch.lerp(n, self._for_segments(state), torch.sigmoid(z + z_kept))


@MODELS.register_module()
class SegmentedSLSTM(SegmentedEncoder):
    """Segments read by sLSTM cells (`SLSTM`: Beck et al. 2024, arXiv:2405.04517), whose
    exponential gates let a late segment outweigh all before it; see `SegmentedEncoder`.

    Args:
        task: Filled in by the forecaster.
        hidden_size: Units of a layer, even.
        segment_length: Steps of a segment, W; None for about a twelfth of the look-back.
        num_layers: Layers of cells.
        num_heads: Blocks of the recurrent matrices, which divide the units.
        forget_gate: 'sigmoid' or 'exponential'.
        dropout: Chance of dropping an element between layers, and of what is read out.
        channel_embedding: Whether the learnt vector tells columns apart. Without effect where all
            columns are read together, or decoding is recursive.

    Raises:
        ConfigError: `segment_length` does not divide the look-back, `hidden_size` is odd, the heads
            do not divide it, or there is no such forget gate.
    """

    def __init__(self, task: Task, hidden_size: int = 128, segment_length: int | None = 24,
                 num_layers: int = 1, num_heads: int = 4, forget_gate: str = 'sigmoid',
                 dropout: float = 0.0, channel_embedding: bool = True):
        super().__init__(task, hidden_size, segment_length, num_layers, dropout, channel_embedding,
                         num_heads=num_heads, forget_gate=forget_gate)

    def _recurrent(self, width: int, num_layers: int, dropout: float, **cell) -> SLSTM:
        return SLSTM(width, num_layers, dropout=dropout, **cell)

    def _step(self, layer: int, x_CMH: Tensor, state: SLSTMState) -> Tensor:
        kept_BC1Z = self._for_segments(self.rnn.recurrence(layer, state.hidden))
        before = SLSTMState(*map(self._for_segments, state))
        return self.rnn.step(self.rnn.read[layer](x_CMH), kept_BC1Z, before).hidden
