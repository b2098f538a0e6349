"""The Runner of a model that is fitted at once: one epoch, no optimizer.

The epoch fits, then goes through the batches of the training part for their loss. So progress,
record, checkpoint, resume and report are those of any training.
"""

from collections.abc import Iterator

import torch

from amlnn.config.load import LoadedConfig
from amlnn.console import say
from amlnn.engine.run.loops import EpochTrainLoop
from amlnn.engine.series.baseline_rows import training_rows, validation_rows
from amlnn.engine.series.runner import ForecastRunner
from amlnn.errors import ConfigError
from amlnn.models.series.fitting import FittingData

__all__ = ['FitRunner', 'check_fitted']


class FitRunner(ForecastRunner):
    """A Runner that fits the model; see the module. Arguments are those of FolderRunner."""

    def build_train_loop(self, loop):
        """A FitLoop."""
        if not isinstance(loop, dict):
            return loop
        arguments = {key: value for key, value in loop.items() if key not in ('by_epoch', 'type')}
        return FitLoop(self, self._train_dataloader, **arguments)

    def build_optim_wrapper(self, optim_wrapper) -> 'NoOptimizer':
        """NoOptimizer."""
        return NoOptimizer()


class FitLoop(EpochTrainLoop):
    """The one epoch of a fit; its loss is that of the fitted model on the training part."""

    def prepare_epoch(self) -> None:
        """Fit."""
        dataset = self.dataloader.dataset
        with torch.no_grad():
            self.runner.model.fit(FittingData(training_rows(dataset), validation_rows(dataset),
                                              self._validation))
        for note in self.runner.task.fit_notes(self.runner.model):
            say(self.runner.progress.console, note, 'note')

    def _validation(self) -> Iterator[dict]:
        loop, model = self.runner.val_loop, self.runner.model
        for batch in loop.dataloader if loop is not None else ():
            yield model.data_preprocessor(batch, False)

    def take_step(self, data_batch: dict) -> dict:
        """The loss of a batch."""
        model = self.runner.model
        with torch.no_grad():
            return model(**model.data_preprocessor(data_batch, True), mode='loss')


class NoOptimizer:
    """What a Runner asks of an optimizer, where there is none."""

    def get_lr(self) -> dict[str, list[float]]:
        """No rate."""
        return {'lr': [0.0]}

    def state_dict(self) -> dict:
        """Nothing."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Nothing to take up."""

    def initialize_count_status(self, model, cur_iter: int, max_iters: int) -> None:
        """Nothing is counted."""


def check_fitted(loaded: LoadedConfig, kind: str) -> None:
    """Refuse what means nothing to a model that is fitted at once.

    Args:
        loaded: The config.
        kind: The model's class, for the message.

    Raises:
        ConfigError: names the key.
    """
    config = loaded.config
    meaningless = {key: bool(config.get(key)) for key in ('optim_wrapper', 'param_scheduler')}
    meaningless['train_cfg.max_epochs'] = \
        (config.get('train_cfg') or {}).get('max_epochs', 1) != 1
    for key, there in meaningless.items():
        if there:
            raise ConfigError(
                f'{loaded.origins.get(key, loaded.path)}: `{key}` is set, and {kind} is fitted at '
                'once: nothing reads it',
                hint='inherit _base_/schedules/fit_once.py, and no other schedule')
