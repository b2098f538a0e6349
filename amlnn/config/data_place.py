"""`data = 'DIR'` in a config, or --data DIR: one word for the place of the data of all parts."""

import shlex
from pathlib import Path

from amlnn.config.kind import PARTS, data_sets
from amlnn.config.located import Located
from amlnn.errors import ConfigError

__all__ = ['DATA_KEY', 'data_option', 'place_data']

DATA_KEY = 'data'


def data_option(place: Path | str | None) -> list[str]:
    """What --data says, as an option of --cfg-options; none where it was not given.

    >>> data_option('my flowers'), data_option(None)
    (["data='my flowers'"], [])
    """
    return [] if place is None else [f'{DATA_KEY}={str(place)!r}']


def place_data(config: Located) -> list[str]:
    """Put the value of the key `data`, which goes, into every data set of every part.

    Images have it as their `data_root`, a series in a file as the `path` of its source.

    Args:
        config: A resolved config, before it is checked.

    Returns:
        Lines to be printed.

    Raises:
        ConfigError: the data sets are not in a folder or a file, or it is a file where they need a
            folder, or the other way round.

    >>> from amlnn.config.located import Place, located
    >>> config = located(dict(data='new', train_dataloader=dict(dataset=dict(data_root='old'))),
    ...                  Place('small.py', 1))
    >>> place_data(config)
    []
    >>> config['train_dataloader']['dataset']['data_root']
    'new'
    """
    if DATA_KEY not in config:
        return []
    value, place = config[DATA_KEY], config.place(DATA_KEY)
    dict.pop(config, DATA_KEY)
    if place.shipped and isinstance(value, dict):  # MMEngine reads nothing of it
        return [f'{place}: `{DATA_KEY}` is of older versions of MMPretrain, and is not read']
    if not isinstance(value, str) or not value:
        raise ConfigError(f'{place}: `{DATA_KEY}` is {value!r}, not a folder or a file',
                          hint=f"{DATA_KEY}='data/flower_dataset', or --data data/flower_dataset")
    leaves = [leaf for part in PARTS for _, leaf in data_sets(config.get(f'{part}_dataloader'))
              if isinstance(leaf, Located)]
    files = [leaf['source'] for leaf in leaves
             if isinstance(leaf.get('source'), Located) and 'path' in leaf['source']]
    folders = [leaf for leaf in leaves if 'data_root' in leaf]
    if not files and not folders:
        raise ConfigError(
            f'{place}: `{DATA_KEY}` is `{value}`, and this config reads no data from a folder or a '
            'file', hint='take it out, or name a data set with a `data_root`, or a `source` with '
            'a `path`')
    path = Path(value)
    if files and path.is_dir():
        raise ConfigError(f'{place}: `{value}` is a folder, and this config reads a series from a '
                          'file', hint='name the file: --data '
                          f'{shlex.quote(str(path / "series.csv"))}')
    if folders and path.is_file():
        raise ConfigError(f'{place}: `{value}` is a file, and this config reads a data set from a '
                          'folder', hint='name the folder that data_preprocess.py wrote')
    for leaf in folders:
        leaf.put('data_root', value, place)
    for source in files:
        source.put('path', value, place)
    return []
