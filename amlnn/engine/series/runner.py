"""A Runner that keeps what only a forecaster has.

A checkpoint of a forecaster holds, beside what every checkpoint has, its data's metainfo under
`meta.dataset_meta` (columns, look-back, horizon, scaler, where training ended) and `intervals`: how
far the validation part lay from its forecasts.
"""

from pathlib import Path

from torch import nn

from amlnn.engine.run.runner import FolderRunner
from amlnn.engine.series.evaluation import ForecastEvaluation

__all__ = ['ForecastRunner']


class ForecastRunner(FolderRunner):
    """The Runner of a forecaster. Arguments are those of FolderRunner."""

    _best: ForecastEvaluation | None = None
    _validated: int | None = None

    def train(self) -> nn.Module:
        """Train. However it ends, the best forecasts of the validation part are on the disk."""
        try:
            return super().train()
        finally:
            if self._best is not None:
                self.task.write_predictions(self.folder / 'predictions_val.npz', self._best)
                self._best = None
                self.publisher.predictions_due = False

    def end_epoch(self, metrics: dict) -> None:
        """Record an epoch, then let hooks save it."""
        if metrics:
            self._validated = self.epoch
        super().end_epoch(metrics)

    def keep_predictions(self, path: Path) -> None:
        """Remember the forecasts. They are large, and the next epoch may be better."""
        self._best = self.val_loop.last

    def make_checkpoint(self) -> dict:
        """What resuming exactly and forecasting need, of tensors and plain values."""
        checkpoint = super().make_checkpoint()
        checkpoint['meta']['dataset_meta'] = self.task.checkpoint_meta()
        if self._validated == self.epoch:
            checkpoint['intervals'] = self.val_loop.last.intervals()
        return checkpoint
