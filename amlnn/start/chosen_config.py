"""The config file that `tools/start.py` leaves: what was chosen, and why."""

from collections.abc import Sequence
from pathlib import Path

from amlnn.command import command_line
from amlnn.config.load import load_config
from amlnn.start.choice import Option
from amlnn.sweep.chosen_config import named_from

__all__ = ['config_text']


def config_text(option: Option, why: Sequence[str], data: Path, path: Path) -> str:
    """The text of the config.

    Args:
        option: What was picked.
        why: Lines for the docstring.
        data: The data set.
        path: Where the config will be.
    """
    base = load_config(option.probed.config).config
    rate = base['optim_wrapper']['optimizer']['lr']
    again = ', trainable=()' if base['model'].get('trainable') else ''
    said = '\n'.join([f'{option.place}; chosen by tools/start.py.', '', *why, '',
                      command_line('train', path), ''])
    plain = '\\' not in said and '"""' not in said  # of a folder's name
    lines = [
        f'"""{said}"""' if plain else repr(said),
        f'_base_ = {named_from(option.probed.config, path)!r}',
        f'data = {str(data)!r}', f'work_dir = {str(path.parent)!r}',
        f'model = dict(frozen_stages={option.cell.frozen_stages!r}{again})', '',
        '# The rate falls along a cosine from twice that of the base, whose mean it so has.',
        f'optim_wrapper = dict(optimizer=dict(lr={2 * rate:g}))',
        'param_scheduler = dict(',
        f"    _delete_=True, type='CosineAnnealingLR', T_max={option.epochs}, by_epoch=True)",
        f'train_cfg = dict(max_epochs={option.epochs})']
    if option.views < option.epochs:
        lines += ['', '# Each image comes in so many augmented views, which are computed once.',
                  f'execution = dict(views={option.views})']
    return '\n'.join(lines) + '\n'
