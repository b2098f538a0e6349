"""What a training, an evaluation and a forecast ask of every model of a series."""

# B windows, L past steps, P future steps, C target columns, E extra columns, K known columns,
# R numbers per value

from mmengine.model import BaseModel
from torch import Tensor

from amlnn.models.series.forecast_heads import Forecast, ForecastHead

__all__ = ['ForecastingModel']


class ForecastingModel(BaseModel):
    """A model whose head makes the loss and the forecast of what `_output` gives."""

    head: ForecastHead

    def forward(self, inputs: Tensor, targets: Tensor | None = None, index: Tensor | None = None,
                observed: Tensor | None = None, target_observed: Tensor | None = None,
                known: Tensor | None = None, series: Tensor | None = None,
                position: Tensor | None = None, mode: str = 'tensor',
                ) -> dict[str, Tensor] | Forecast | Tensor:
        """Forecast a batch, or take its loss.

        Args:
            inputs: [B, L, C + E + K], targets first, then extra and known columns.
            targets: [B, P, C], for the loss.
            index: [B], the windows' numbers, for error messages.
            observed: [B, L, C + E + K], False where a value is missing.
            target_observed: [B, P, C], False where a value is missing.
            known: [B, P, K], the known columns of the future; not read without any.
            series: [B] int64, which series each window is of, behind the training's or -1 for one
                that it had not.
            position: [B] int64, where on the time grid each window's first future step lies; of a
                model that learns a cycle alone.
            mode: 'loss' gives {'loss': scalar}; 'predict' a `Forecast`; 'tensor' the head's output
                [B, P, C, R], of which `head.loss` and `head.forecast` make the other two.

        Raises:
            DataError: see the class.
        """
        if mode == 'loss' and self.training and targets is not None:
            inputs, targets = self._for_training(inputs, targets)
        output_BPCR = self._output(inputs, index, observed, known, series, position)
        if mode == 'tensor':
            return output_BPCR
        if mode == 'predict':
            return self.head.forecast(output_BPCR)
        if mode != 'loss':
            raise ValueError(f'no mode `{mode}`')
        self._check_targets(targets, index, target_observed)
        return dict(loss=self.head.loss(output_BPCR, targets, target_observed))

    def _output(self, inputs: Tensor, index: Tensor | None, observed: Tensor | None,
                known: Tensor | None, series: Tensor | None, position: Tensor | None) -> Tensor:
        """What the head makes of a batch, [B, P, C, R]."""
        raise NotImplementedError

    def _for_training(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and targets as a training step sees them."""
        return inputs, targets

    def _check_targets(self, targets: Tensor | None, index: Tensor | None,
                       observed: Tensor | None) -> None:
        """Refuse targets that have no loss."""
