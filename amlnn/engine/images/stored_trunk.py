"""Where on disk the features of a trunk are: by all that they depend on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from amlnn.config.resolved import resolved_text
from amlnn.data.cache.cache_folder import cache_root
from amlnn.data.cache.feature_store import FeatureStore
from amlnn.data.images.layout import Layout
from amlnn.data.images.pixels import READING
from amlnn.engine.images.own_code import own_code
from amlnn.engine.plan import Plan
from amlnn.engine.run.versions import vision_versions
from amlnn.models.images.trunk import Trunk
from amlnn.models.images.trunk_key import trunk_key

__all__ = ['StoredTrunk']


@dataclass
class StoredTrunk:
    """A trunk whose features are kept.

    Args:
        plan: Of the run that they are for.
        model: The classifier, built and frozen.
        trunk: Of it.
        split: Stages of the trunk.
    """

    plan: Plan
    model: nn.Module
    trunk: Trunk
    split: int

    def store(self, section: dict, dataset, shape: Sequence[int], views: int,
              warn: Callable[[str], None]) -> FeatureStore:
        """Features of a data set, made or found again.

        Args:
            section: Of the data set in the config.
            dataset: What was built of it, as views.
            shape: Of an image's features.
            views: How many will be asked for.
            warn: Gets a line for everything that keeps the cache from doing its work.
        """
        ids = [dataset.key(index) for index in range(len(dataset))]
        return FeatureStore.open(
            cache_root(), self._key(section, dataset, ids), shape, self.trunk.dtype, ids, views,
            self.plan.policy.cache_bytes, warn)

    def _key(self, section: dict, dataset, ids: list[str]) -> dict:
        plan, preprocessor = self.plan, self.model.data_preprocessor
        return {'trunk': trunk_key(self.model, self.split, plan.precision,
                                   plan.policy.fold_batch_norm),
                **self.trunk.facts(),
                'pipeline': resolved_text({'dataset': section}), 'seed': plan.seed,
                'preprocessor': repr(preprocessor),
                'mean': _numbers(preprocessor, 'mean'), 'std': _numbers(preprocessor, 'std'),
                'data': _content(dataset, ids), 'reading': READING, 'versions': vision_versions(),
                **own_code(plan.config, self.model, dataset)}


def _numbers(module: nn.Module, name: str) -> list[float] | None:
    value = getattr(module, name, None)
    return value.flatten().tolist() if isinstance(value, torch.Tensor) else None


def _content(dataset, ids: list[str]) -> list:
    """What identifies the images: the data sets' own hashes, else names, sizes and times."""
    hashes = [_content_hash(leaf) for leaf in dataset.leaves]
    if hashes and all(hashes):
        return sorted(set(hashes))
    listed = []
    for index in range(len(dataset)):
        path = dataset.get_data_info(index).get('img_path')
        status = Path(path).stat() if path else None
        facts = (status.st_size, status.st_mtime_ns) if status else ()
        listed.append([ids[index], *facts])
    return listed


def _content_hash(leaf) -> str | None:
    root = getattr(leaf, 'data_root', None)
    kind = type(leaf) if isinstance(leaf, Layout) else Layout
    return kind.content_hash(str(root)) if root else None
