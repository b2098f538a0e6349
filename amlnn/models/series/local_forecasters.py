"""Local forecasters: a model of its own for each series of a panel."""

# B windows, P future steps, C target columns, R numbers per value, S series

import copy

import torch
from torch import Tensor, nn

from amlnn.errors import ConfigError, DataError

__all__ = ['LocalForecasters']

_MOST = 2000  # models that are kept


class LocalForecasters(nn.ModuleList):
    """One model a series, all beginning with the same weights.

    So a series' model begins, and on batches of that series alone goes on, as one that is trained
    on it with the same seed. A model whose series has no window in a batch gets no gradient, and
    is left as it is by an optimizer. Its weights are named by the series' place, `0.` and so on.

    Args:
        single: The model to copy; not kept itself.
        count: S, how many.

    Raises:
        ConfigError: that many models are not kept.
    """

    def __init__(self, single: nn.Module, count: int):
        if count > _MOST:
            raise ConfigError(
                f'`model.per_series` with {count:,} series asks for as many models, and at most '
                f'{_MOST:,} are kept', hint='model.per_series=False: one model of all series')
        super().__init__(copy.deepcopy(single) for _ in range(count))

    def forward(self, inputs: Tensor, index: Tensor | None = None, observed: Tensor | None = None,
                known: Tensor | None = None, series: Tensor | None = None,
                position: Tensor | None = None) -> Tensor:
        """[B, P, C, R]: of every window what its series' model gives.

        Args:
            series: [B] int64, which series each window is of; may be left out where there is one.

        The other arguments are those of `Forecaster`, which is what the models are.

        Raises:
            DataError: a window's series is not known, or has no model.
        """
        places = self._places(inputs, index, series)
        if len(places) == 1:  # the rows as they are
            return self[places[0]](inputs, index=index, observed=observed, known=known,
                                   position=position)
        outputs, rows = [], []
        for place in places:
            at_X = (series == place).nonzero().squeeze(1)
            own = {name: None if value is None else value[at_X] for name, value in dict(
                index=index, observed=observed, known=known, position=position).items()}
            outputs.append(self[place](inputs[at_X], **own))
            rows.append(at_X)
        return torch.cat(outputs)[torch.cat(rows).argsort()]

    def _places(self, inputs: Tensor, index: Tensor | None, series: Tensor | None) -> list[int]:
        """The series of a batch, each once."""
        if series is None and len(self) == 1:
            return [0]
        if series is None or series.shape != inputs.shape[:1]:
            got = None if series is None else tuple(series.shape)
            raise DataError(f'Forecaster got series of shape {got}, not ({len(inputs)},)',
                            hint='with `model.per_series` every window says which series it is of')
        unknown = ((series < 0) | (series >= len(self))).nonzero()
        if len(unknown):
            window = int(unknown[0])
            number = window if index is None else int(index[window])
            raise DataError(f'window {number} is of a series that training had not, so it has no '
                            'model', hint='train with model.per_series=False: a model of all '
                            'series forecasts new ones too')
        return series.unique().tolist()
