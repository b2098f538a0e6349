"""The best of a comparison at several origins, as a config that trains it."""

import os
from pathlib import Path
from typing import Any

from amlnn.config.options import parse_options, plain
from amlnn.results.origins import BLEND, EQUAL
from amlnn.sweep.backtest import Backtested
from amlnn.sweep.trials import SweepOptions

__all__ = ['chosen_config', 'named_from']

_DATA = ('train_dataloader.dataset.', 'val_dataloader.dataset.', 'test_dataloader.dataset.')

_BACK = 'train_dataloader.dataset.look_back='  # belongs to a member's recipe, and to the blend


def chosen_config(found: Backtested, options: SweepOptions, path: Path) -> str:
    """The text of a config that trains the best row on the parts that the data set has.

    Args:
        found: The comparison.
        options: Data and overrides with which it was made.
        path: Where the config will be, from which others are named.
    """
    best, origins = found.best, len(found.rows[0].errors)
    docs = f'"""{best.name}: {found.metric} {best.mean:.4f} over {origins} origins, the least of ' \
           f'{len(found.rows)}.\n\npython tools/train.py {path}\n"""'
    lines = [docs]
    overrides = list(options.cfg_options)
    if best.name in (EQUAL, BLEND):
        own = [each for each in overrides if not each.startswith(_DATA) or each.startswith(_BACK)]
        overrides = [each for each in overrides if each.startswith(_DATA)]
        lines += [f'_base_ = {named_from(found.configs[0], path)!r}', *_blend(found, own, path)]
    else:
        lines.append(f'_base_ = {named_from(found.configs[found.rows.index(best)], path)!r}')
    if options.data:
        lines.append(f'data = {str(options.data)!r}')
    lines += [f'{key} = {plain(value)!r}' for key, value in parse_options(overrides).items()]
    return '\n'.join(lines) + '\n'


def _blend(found: Backtested, own: list[str], path: Path) -> list[str]:
    options = {each.partition('=')[0]: _leaf(parse_options([each])) for each in own}
    members = [named_from(config, path) for config in found.configs]
    listed: list[Any] = [dict(config=each, options=options) for each in members] \
        if options else list(members)
    weights = [round(each, 4) for each in found.best.weights]
    kept = [place for place, each in enumerate(weights) if each > 0]
    return ['model = dict(', "    _delete_=True, type='Blend',",
            f'    members={[listed[place] for place in kept]!r},',
            f'    weights={[weights[place] for place in kept]!r})',
            'optim_wrapper = None', 'param_scheduler = None', 'custom_hooks = []',
            'train_cfg = dict(max_epochs=1)']


def named_from(config: str, path: Path) -> str:
    """A config as another one, in `path`, names it."""
    if '::' in config or Path(config).is_absolute():
        return config
    return os.path.relpath(config, path.parent)


def _leaf(value: Any) -> Any:
    while isinstance(value, dict) and len(value) == 1 and '_delete_' not in value:
        (value,) = value.values()
    return plain(value)
