"""`model.unfreeze` and `model.head_start` of a classifier's training."""

from contextlib import AbstractContextManager, nullcontext

from torch import nn

from amlnn.engine.plan import Plan
from amlnn.engine.processes import processes
from amlnn.engine.rehearsal import kept_generators
from amlnn.engine.staging import Staging
from amlnn.errors import ConfigError
from amlnn.models.images.freezing import stage_table
from amlnn.models.images.staged import StagedFreezing

__all__ = ['ImageStaging']


class ImageStaging(Staging):
    """See `Staging`.

    Args:
        plan: The plan.
        model: Built and frozen, as a training begins.

    Attributes:
        freezing: What is frozen when; None where that never changes.

    Raises:
        ConfigError: the head cannot begin so, or FeatureMixup mixes what will be trained.
    """

    def __init__(self, plan: Plan, model: nn.Module):
        options = plan.model_options
        self.plan = plan
        self.freezing = StagedFreezing(options.frozen_stages, options.unfreeze) \
            if options.unfreeze else None
        if self.freezing:
            self.freezing.check(model)
        if options.head_start:
            self._check_head_start(model)
        if self.freezing and hasattr(getattr(model, 'head', None), 'feature_augment'):
            raise ConfigError('FeatureMixup mixes what a frozen backbone makes of images, and '
                              '`model.unfreeze` opens it', hint='take Mixup, which mixes images')

    def open_for(self, model: nn.Module, epoch: int) -> None:
        """See `Staging`."""
        if self.freezing:
            self.freezing.set_epoch(model, epoch)

    def all_open(self, model: nn.Module) -> AbstractContextManager[None]:
        """See `Staging`."""
        return self.freezing.all_open(model) if self.freezing else nullcontext()

    def frozen_parts(self, model: nn.Module) -> list[str] | None:
        """See `Staging`."""
        return [row.name for row in stage_table(model) if row.frozen] if self.freezing else None

    def start_head(self, model: nn.Module, loader, path) -> str | None:
        """See `Staging`."""
        if not self.plan.model_options.head_start:
            return None
        from amlnn.models.images.head_start import start_head

        def features(batch: dict):
            with self.plan.forward_context():
                return path.head_input(model, batch) if path else \
                    model.extract_feat(model.data_preprocessor(batch, False)['inputs'])

        model.eval()
        loader.sampler.set_epoch(0)
        with kept_generators():
            return start_head(model.head, loader, features)

    def _check_head_start(self, model: nn.Module) -> None:
        from amlnn.models.images.head_start import check_head_start  # brings in MMPretrain
        check_head_start(model)
        if processes().several:
            raise ConfigError("`model.head_start='probe'` is computed by one process, and there "
                              'are several', hint='leave it out, or train in one process')
