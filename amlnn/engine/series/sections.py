"""What a config says of its series' parts, beside what a checkpoint knows; nothing is read here.

A forecast that needs no network is made without torch, so nothing here imports it.
"""

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from amlnn.checkpoint_facts import interval_fault, series_fault
from amlnn.config.kind import PARTS
from amlnn.config.load import LoadedConfig
from amlnn.data.series.csv_columns import AUTO
from amlnn.errors import CheckpointError

__all__ = ['COLUMNS', 'SIZES', 'SeriesSections', 'checkpoint_metainfo', 'cycle_of', 'fill_sizes',
           'shown']

# What a model has to know of its data, and a checkpoint says.
SIZES = ('look_back', 'horizon')
COLUMNS = ('columns', 'extra_columns', 'known_columns')


@dataclass
class SeriesSections:
    """The data sections of one config."""

    loaded: LoadedConfig
    config: object
    """The adapted config."""
    trained: dict | None = None
    """Metainfo of a checkpoint, whose scaler counts then; None: that of the training rows does."""
    checkpoint: Path | None = None
    """The checkpoint's path, for messages."""

    def check_fits(self, info: dict, trained: dict | None = None,
                   checkpoint: Path | None = None) -> None:
        """Refuse data that a checkpoint's model was not made for.

        Args:
            info: Metainfo of the data.
            trained: Metainfo of the checkpoint, by default that of this task.
            checkpoint: Its path, likewise.

        Raises:
            CheckpointError: names the first thing that differs.
        """
        trained, checkpoint = trained or self.trained, checkpoint or self.checkpoint
        for name in (*COLUMNS, *SIZES):
            if info.get(name, []) != trained.get(name, []):
                was, now = (shown(each.get(name, [])) for each in (trained, info))
                raise CheckpointError(
                    f'`{checkpoint}` was trained with {name} {was}, and the config has {now}',
                    hint='give the config that the checkpoint was trained with; it is config.py in '
                    'the run folder')

    def check_models(self, ids: Sequence[str]) -> None:
        """Refuse series that have no model, where each of the training's has one of its own.

        Raises:
            CheckpointError: counts them, and names the first.
        """
        trained = set((self.trained or {}).get('ids', ids))
        new = [name for name in ids if name not in trained]
        if new and self.config['model'].get('per_series'):
            raise CheckpointError(
                f'`{self.checkpoint}` has a model for each series of its training, and none for '
                f'`{new[0]}`' + (f', the first of {len(new):,}' if len(new) > 1 else ''),
                hint='leave it out of the file, or train with model.per_series=False: a model of '
                'all series forecasts new ones too')

    def check_sizes(self) -> None:
        """Compare what the config says with the checkpoint, without reading any data."""
        for part in PARTS:
            section = self.section(part) if self.config.get(f'{part}_dataloader') else {}
            typed = {name: section[name] for name in SIZES
                     if section.get(name) not in (None, AUTO)}
            self.check_fits({**self.trained, **typed})

    def section(self, part: str) -> dict:
        """What SeriesWindows takes; a part that leaves something out has it as in training."""
        shared = dict(self.config.get('train_dataloader', {}).get('dataset', {}))
        for name in ('split', 'stride'):
            shared.pop(name, None)
        own = self.config[f'{part}_dataloader']['dataset']
        return copy.deepcopy({'split': part, **shared, **own})

    def source_section(self, part: str) -> dict:
        """The source of a part as the config has it."""
        for name in (part, 'train'):
            section = self.config.get(f'{name}_dataloader') or {'dataset': {}}
            if section['dataset'].get('source'):
                return section['dataset']['source']
        return {}


def checkpoint_metainfo(checkpoint: dict, path: Path) -> dict:
    """What a forecaster's checkpoint says of its data.

    Raises:
        CheckpointError: it is no forecaster's, or what it says cannot be.
    """
    info = (checkpoint.get('meta') or {}).get('dataset_meta') or {}
    if info.get('kind') != 'series':
        raise CheckpointError(f'`{path}` is not the checkpoint of a forecaster: it has no scaler',
                              hint='give a checkpoint that tools/train.py wrote')
    fault = series_fault(info)
    if not fault and checkpoint.get('intervals') is not None:
        fault = interval_fault(checkpoint['intervals'], info['horizon'], len(info['columns']),
                               len(info['ids']) if 'ids' in info else None)
    if fault:
        raise CheckpointError(f'`{path}` is damaged, or was edited: {fault}',
                              hint='give a checkpoint that tools/train.py wrote')
    return info


def cycle_of(section: Mapping) -> object:
    """The cycle that a model learns, or of a blend a member; None without any."""
    members = section.get('members') or ()
    found = [each.get('cycle') for each in (section, *members) if isinstance(each, Mapping)]
    return next((each for each in found if each is not None), None)


def fill_sizes(section: dict, kind: type, info: dict,
               differs: Callable[[str, object, object], None] = lambda *_: None) -> None:
    """Give a model's section what follows from its data.

    Args:
        section: Of a config.
        kind: Its class.
        info: Metainfo of the data.
        differs: Told the name, the typed value and the derived one, where they are not the same.
    """
    derived = {name: info[name] for name in SIZES} | {
        'channels': len(info['columns']), 'extra_channels': len(info['extra_columns']),
        'known_channels': len(info.get('known_columns', [])),
        'series_count': len(info.get('ids', [])) or 1, 'season': info.get('season'),
        'cycle': info.get('cycle')}
    for name in derived.keys() & inspect.signature(kind).parameters.keys():
        typed = section.get(name)
        if typed not in (None, AUTO) and typed != derived[name]:
            differs(name, typed, derived[name])
        section[name] = derived[name]


def shown(value: object) -> str:
    """A value of the metainfo in words."""
    return ', '.join(map(str, value)) or 'none' if isinstance(value, list) else str(value)
