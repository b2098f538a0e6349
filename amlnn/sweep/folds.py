"""Folds of a sweep: what each changes in a config."""

import copy
from collections.abc import Mapping
from typing import Any

from amlnn.config.kind import part_data_sets
from amlnn.config.options import option
from amlnn.errors import ConfigError

__all__ = ['fold_options']


def fold_options(config: Mapping[str, Any], fold: int, folds: int) -> list[str]:
    """Overrides that let a config train without one fold, and validate on it.

    Training and validation part are thrown together and divided anew; the test part is untouched.

    Args:
        config: Resolved.
        fold: From 0.
        folds: How many.

    Raises:
        ConfigError: its parts are not two data sets without wrappers.
    """
    leaves = {part: part_data_sets(config, part) for part in ('train', 'val')}
    for part, found in leaves.items():
        section = (config.get(f'{part}_dataloader') or {}).get('dataset')
        if len(found) != 1 or found[0] is not section or 'pipeline' not in section:
            raise ConfigError(f'`{part}_dataloader.dataset` cannot be divided into folds',
                              hint='folds are of one image data set in each part, without wrappers')
    options = []
    for part in ('train', 'val'):
        both = [copy.deepcopy(dict(leaves[other][0])) for other in ('train', 'val')]
        for each in both:
            each['pipeline'] = leaves[part][0]['pipeline']
        value = dict(_delete_=True, type='FoldDataset', datasets=both, folds=folds, fold=fold,
                     part=part)
        options.append(option(f'{part}_dataloader.dataset', value))
    return options
