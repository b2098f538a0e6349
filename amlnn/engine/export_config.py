"""Writes a config as MMPretrain's own tools read it."""

import sys
from collections.abc import Sequence
from pathlib import Path

from amlnn.atomic import write_text
from amlnn.config.load import load_config
from amlnn.config.mmpretrain_form import exported_text
from amlnn.engine.kinds import in_scope, open_task
from amlnn.errors import UsageError

__all__ = ['export_config']


def export_config(paths: Sequence[str], options: Sequence[str] = (),
                  out: str | None = None) -> int:
    """Print or write one config for MMPretrain; what it will do otherwise is said on the side.

    Args:
        paths: The config file, one.
        options: 'key=value' overrides.
        out: The file to write; None prints.

    Raises:
        AmlnnError: there are several, it is of no images, or its number of classes is not known.
    """
    if len(paths) != 1:
        raise UsageError('--for takes one config', hint='one command for each')
    loaded = load_config(paths[0], options)
    task = open_task(loaded, 'cpu', pretrained='none')
    if task.scope != 'mmpretrain':
        raise UsageError(f'`{paths[0]}` is a forecaster, which MMPretrain has nothing for',
                         hint='--for is of classifiers')
    with in_scope(loaded.config):
        text, notes = exported_text(task.filled(loaded.config), task.class_count)
    for note in notes:
        print(f'note: {note}', file=sys.stderr)
    if out is None:
        print(text, end='')
    else:
        write_text(Path(out), text)
        print(f'written: {out}')
    return 0
