"""The path of a training whose frozen stages open at given epochs: fast as long as it can be.

While something is frozen, the features of what is frozen then are trained on; at an opening the
features of the shorter trunk take their place, and image loaders once nothing is frozen. Caches are
keyed by the trunk, so each length has its own. A run that goes on begins with the length that its
next epoch has.
"""

from collections.abc import Callable

from mmengine.hooks import EMAHook
from torch import nn
from torch.utils.data import DataLoader

from amlnn.console import say
from amlnn.engine.images.evaluation import classify
from amlnn.engine.images.trunk_path import TrunkPath, TrunkTrainLoop, average_what_moves
from amlnn.engine.plan import Plan
from amlnn.errors import ConfigError
from amlnn.models.images.staged import StagedFreezing

__all__ = ['StagedPath']


class StagedPath:
    """A path in the place of a TrunkPath, with the same methods.

    Args:
        plan: The plan.
        model: The model, frozen as its next epoch has it.
        loaders: Of images, by part, as of `TrunkPath.plan`.
        staged: What is frozen when.

    Raises:
        ConfigError: as `TrunkPath.plan`.
    """

    def __init__(self, plan: Plan, model: nn.Module, loaders: dict, staged: StagedFreezing):
        self.plan, self.model, self.staged = plan, model, staged
        self.images: dict[str, DataLoader] = dict(loaders)
        self._warn: Callable[[str], None] = lambda text: None
        self.current = self._planned()

    def _planned(self) -> TrunkPath | None:
        """The fast path for what is frozen now; None where nothing is, or there can be none."""
        if self.staged.now == -1:
            return None
        path = TrunkPath.plan(self.plan, self.model, self.images)
        if path:  # what computes the first trunk computes all of them, also in a run that goes on
            self.plan.begun_engine = path.engine
        return path

    @property
    def notes(self) -> list[str]:
        """How frozen stages are computed now."""
        return self.current.notes if self.current else []

    @property
    def engine(self) -> str | None:
        """What computes them."""
        return self.current.engine if self.current else self.plan.begun_engine

    @property
    def views(self) -> int:
        """How many views of an image are computed; 0 without a trunk."""
        return self.current.views if self.current else 0

    def loader(self, plan: Plan, part: str, images: DataLoader, warn):
        """Of features, or the one of images where there is no trunk."""
        self.images[part], self._warn = images, warn
        return self.current.loader(plan, part, images, warn) if self.current else images

    def features(self, batch: dict):
        """What the trunk makes of a batch; None without one."""
        return self.current.features(batch) if self.current else None

    def head_input(self, model: nn.Module, batch: dict):
        """What the head takes for a batch of a loader of this path."""
        return self.current.head_input(model, batch) if self.current else \
            model.extract_feat(model.data_preprocessor(batch, False)['inputs'])

    def train_step(self, model: nn.Module, batch: dict, wrapper) -> dict:
        """One step on a batch of features, or of images."""
        if self.current:
            return self.current.train_step(model, batch, wrapper)
        return model.train_step(batch, optim_wrapper=wrapper)

    def predict(self, model: nn.Module, batch: dict, context):
        """Predictions of a batch of features, or of images, and its loss."""
        if self.current:
            return self.current.predict(model, batch, context)
        return classify(model, batch, context)

    def train_loop(self, *arguments, **options) -> 'StagedTrainLoop':
        """The training loop of this path."""
        return StagedTrainLoop(self, *arguments, **options)

    def begin_epoch(self, runner, epoch: int) -> None:
        """Open what an epoch, counted from 1, has open, and take the path for it."""
        if not self.staged.set_epoch(runner.model, epoch):
            return
        self.close()
        known = len(self.plan.notes)
        try:
            self.current = self._planned()
        except ConfigError as error:  # of `execution.trunk_cache=True`: the first stages had one
            self.current = None
            self.plan.notes.append(error.message)
        loaders = {part: self.loader(self.plan, part, images, self._warn)
                   for part, images in self.images.items()}
        runner.train_loop.dataloader = loaders['train']
        if runner.val_loop is not None:
            runner.val_loop.dataloader = loaders['val']
        record = runner.recorder.record
        record.trunk = self.notes[0] if self.notes else record.trunk
        record.trunk_engine = self.engine
        opened = 'nothing is frozen' if self.staged.now == -1 else \
            f'frozen_stages is {self.staged.now}'
        console = runner.progress.console
        say(console, f'epoch {epoch}: {opened}')
        for note in [*self.plan.notes[known:], *self.notes]:
            say(console, note)

    def close(self) -> None:
        """Let go of the caches."""
        if self.current:
            self.current.close()


class StagedTrainLoop(TrunkTrainLoop):
    """Trains on what the path gives, and opens stages before their epoch.

    Args:
        path: The StagedPath.
        arguments: Of EpochTrainLoop.
    """

    def run_epoch(self) -> None:
        """One epoch, with what is open in it."""
        self.path.begin_epoch(self.runner, self._epoch + 1)
        for hook in self.runner.hooks:
            if isinstance(hook, EMAHook):
                average_what_moves(hook.ema_model, self.runner.model)
        super().run_epoch()
