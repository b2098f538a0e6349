"""Test-time augmentation: every image in several views, over whose scores is averaged."""

from mmengine.registry import MODELS
from torch import nn

from amlnn.config.kind import part_data_sets

__all__ = ['augment_pipeline', 'averaging']


def augment_pipeline(config, split: str) -> None:
    """Let the split's data set yield every image in several views."""
    for leaf in part_data_sets(config, split):
        pipeline = list(leaf['pipeline'])
        flips = [dict(type='RandomFlip', prob=1.0), dict(type='RandomFlip', prob=0.0)]
        leaf['pipeline'] = config.get('tta_pipeline') or [
            *pipeline[:-1], dict(type='TestTimeAug', transforms=[flips, [pipeline[-1]]])]


def averaging(config, model: nn.Module) -> nn.Module:
    """A model whose scores are the mean over an image's views."""
    wrapper = config.get('tta_model') or dict(type='AverageClsScoreTTA')
    return MODELS.build({**wrapper, 'module': model})
