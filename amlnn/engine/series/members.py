"""The members of a blend, read from their runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmengine.registry import MODELS
from torch import nn

from amlnn.config.resolved import read_resolved
from amlnn.engine.run.checkpoint import load_weights, read_checkpoint
from amlnn.engine.series.sections import COLUMNS, SIZES, checkpoint_metainfo, fill_sizes, shown
from amlnn.errors import ConfigError, WeightsError
from amlnn.models.series.blend import check_members
from amlnn.models.weights_path import find_path
from amlnn.registry import MODEL_KEYS

__all__ = ['Member', 'check_alike', 'read_members', 'sizes_for']


@dataclass
class Member:
    """One trained forecaster."""

    path: Path
    section: dict
    """Of its model, with its sizes."""
    info: dict
    """The metainfo of its data."""
    content: dict
    """Of its checkpoint."""

    def load(self, model: nn.Module) -> None:
        """Give a model of `section` its weights.

        Raises:
            CheckpointError: the checkpoint is of another model.
        """
        load_weights(model, self.content, self.path)


def read_members(named: object) -> list[Member]:
    """The members that `model.members` names.

    Raises:
        AmlnnError: it names none, a file is no forecaster's checkpoint, or one of a blend.
    """
    check_members(named)
    return [_read(str(each)) for each in named]


def _read(source: str) -> Member:
    try:
        path = find_path(source)
    except WeightsError as error:
        raise ConfigError(f'member `{source}` of the blend is not there', hint=error.hint
                          if 'mean' in error.hint else 'train it first, or name another: '
                          'model.members') from None
    content = read_checkpoint(path)
    info = checkpoint_metainfo(content, path)
    try:
        model = read_resolved(content['meta']['cfg'])['model']
    except (KeyError, TypeError, ValueError):
        model = None
    if not isinstance(model, Mapping):
        raise ConfigError(f'`{path}` does not say what its model is',
                          hint='members are checkpoints that tools/train.py wrote')
    section = {name: value for name, value in model.items() if name not in MODEL_KEYS}
    kind = MODELS.get(str(section.get('type')))
    if kind is None:
        raise ConfigError(f'`{path}` is of a {section.get("type")}, which is not registered here',
                          hint='custom_imports of the config it was trained with')
    if getattr(kind, 'of_members', False):
        raise ConfigError(f'`{path}` is a blend itself', hint='name its members instead')
    fill_sizes(section, kind, info)
    return Member(path, section, info, content)


def sizes_for(members: list[Member]) -> dict[str, int]:
    """Look-back and horizon of data that all members can read.

    Raises:
        ConfigError: their horizons differ.
    """
    first = members[0]
    for other in members[1:]:
        if other.info['horizon'] != first.info['horizon']:
            raise ConfigError(
                f'`{other.path}` forecasts {other.info["horizon"]} rows, and `{first.path}` '
                f'{first.info["horizon"]}', hint='members of a blend have one horizon')
    return {'look_back': max(each.info['look_back'] for each in members),
            'horizon': first.info['horizon']}


def check_alike(members: list[Member], info: Mapping) -> None:
    """Refuse members that were trained on other data, or on another scale of them.

    Args:
        members: Of a blend.
        info: Metainfo of its data.

    Raises:
        ConfigError: names the first that differs, and in what.
    """
    for each in members:
        for name in (*COLUMNS, 'horizon', 'season', 'ids', 'scaler', 'known'):
            was, now = each.info.get(name), info.get(name)
            if was != now and (was or now):
                told = f': {shown(was)}, not {shown(now)}' \
                    if name in (*COLUMNS, *SIZES, 'season') else ''
                raise ConfigError(
                    f'`{each.path}` was trained with another {_WORDS.get(name, name)}{told}',
                    hint='train the members and the blend on the same file, with the same data '
                    'options')
        if each.info['look_back'] > info['look_back']:
            raise ConfigError(
                f'`{each.path}` looks back on {each.info["look_back"]} rows, and the blend on '
                f'{info["look_back"]}', hint="look_back='auto', or as many")


_WORDS = {'ids': 'list of series', 'scaler': 'training part', 'known': 'scale of known columns',
          'known_columns': 'list of known columns', 'columns': 'list of columns',
          'extra_columns': 'list of extra columns'}
