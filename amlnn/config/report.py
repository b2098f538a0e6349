"""What tools/check_config.py prints."""

import sys
from collections.abc import Callable, Iterator, Sequence

from amlnn.command import told
from amlnn.config.load import LoadedConfig, load_config
from amlnn.config.resolved import resolved_text
from amlnn.errors import ConfigError
from amlnn.suggest import did_you_mean

__all__ = ['check_files', 'origin_of']


def check_files(paths: Sequence[str], options: Sequence[str] = (), show: bool = False,
                origin: str | None = None,
                second_tier: Callable[[LoadedConfig], None] = lambda loaded: None) -> int:
    """Check configs one after another, and print what was asked for.

    Args:
        paths: The config files.
        options: 'key=value' overrides of each.
        show: Print the resolved config.
        origin: Print which file set this key.
        second_tier: Checks what only a built model knows.

    Returns:
        0, or 2 if several were given and one is wrong.

    Raises:
        ConfigError: the only config given is wrong.

    >>> check_files([tiny_config('train_cfg = dict(max_epochs=5)')], origin='train_cfg.max_epochs')
    train_cfg.max_epochs: tiny.py:2
    0
    """
    status = 0
    for path in paths:
        try:
            _check_file(path, options, show, origin, second_tier)
        except ConfigError as error:
            if len(paths) == 1:
                raise
            print(told(error), file=sys.stderr)
            status = error.exit_status
    return status


def origin_of(loaded: LoadedConfig, key: str) -> str:
    """The file and line that set `key` last.

    Raises:
        ConfigError: the config has no such key.

    >>> loaded = load_config(tiny_config('train_cfg = dict(max_epochs=5)'))
    >>> origin_of(loaded, 'train_cfg.max_epochs'), origin_of(loaded, 'model.backbone.depth')
    ('tiny.py:2', 'tiny_base.py:3')
    """
    if key in loaded.origins:
        return loaded.origins[key]
    last = key.rpartition('.')[2]
    same = [dotted for dotted in loaded.origins if dotted.rpartition('.')[2] == last]
    hint = f'did you mean `{same[0]}`?' if same else did_you_mean(
        key, loaded.origins, max(2, len(key) // 3)) or 'see --show for all keys'
    raise ConfigError(f'{loaded.path}: no key `{key}`', hint=hint)


def _check_file(path: str, options: Sequence[str], show: bool, origin: str | None,
                second_tier: Callable[[LoadedConfig], None]) -> None:
    loaded = load_config(path, options)
    second_tier(loaded)
    if origin is not None:
        print(f'{origin}: {origin_of(loaded, origin)}')
        return
    if show:
        print(resolved_text(loaded.config), end='')
    # With --show, the output is a config: what is said about it are comments.
    prefix = '# ' if show else ''
    print(f'{prefix}ok: {path} ({sum(1 for _ in _keys(loaded.config))} keys)')
    for note in loaded.notes:
        print(f'{prefix}note: {note}')


def _keys(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _keys(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _keys(item)
