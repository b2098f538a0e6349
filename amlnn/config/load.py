"""A config file and its overrides become one resolved config, every key of it checked.

Nothing here imports torch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import ConfigDict

from amlnn.config.check import TOP_LEVEL, Finding, check_config
from amlnn.config.data_place import place_data
from amlnn.config.files import find_file, place_of, resolve
from amlnn.config.following import follow_backbone
from amlnn.config.located import OPTIONS, Located, Place, located, merge, plain
from amlnn.config.mmpretrain_form import unfold
from amlnn.config.options import parse_options
from amlnn.config.own_modules import place_own_modules
from amlnn.config.resolved import NotData, assignments
from amlnn.config.source import read_source
from amlnn.config.weight_sources import settle_weights
from amlnn.errors import ConfigError

__all__ = ['LoadedConfig', 'load_config', 'read_stored_config']


@dataclass(frozen=True)
class LoadedConfig:
    """A resolved config.

    `config` holds all top-level keys; amlnn's own (`model.frozen_stages`, `execution`, ...) are
    still in place.
    """

    path: Path
    """The file given."""
    name: str
    """Its name without folder and ending."""
    config: ConfigDict
    origins: dict[str, str]
    """Dotted key to the file and line that set it last, as 'configs/a.py:7'."""
    notes: list[str]
    """What was dropped, what looks odd in MMPretrain's files, what nobody could check."""

    @property
    def work_dir(self) -> Path:
        """Folder of run folders, where the command line names none."""
        return Path(self.config.get('work_dir') or Path('work_dirs') / self.name)

    @property
    def seed(self) -> int:
        """Of the training, where the command line names none."""
        return (self.config.get('randomness') or {}).get('seed') or 0


# MMEngine hands all keys of these but `type` to the function, `_scope_` too.
_NO_SCOPE = ('collate_fn', 'worker_init_fn', 'clip_grad')


def load_config(path: Path | str, options: Sequence[str] = ()) -> LoadedConfig:
    """Resolve the inheritance of a config file, apply overrides, and check every key.

    Args:
        path: The file, or 'mmpretrain::resnet/resnet50_8xb32_in1k.py'.
        options: 'a.b.c=value' strings as of --cfg-options.

    Raises:
        ConfigError: the first thing that is wrong, with how many more there are.

    >>> path = tiny_config('train_cfg = dict(max_epochs=5)')
    >>> loaded = load_config(path, ['model.backbone.depth=34'])
    >>> loaded.config.train_cfg.max_epochs, loaded.origins['train_cfg.max_epochs']
    (5, 'tiny.py:2')
    >>> loaded.config.model.backbone.depth, loaded.origins['model.backbone.depth']
    (34, '--cfg-options')
    >>> load_config(tiny_config('train_cfg = dict(max_epoch=5)'))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    amlnn.errors.ConfigError: tiny.py:2: `train_cfg.max_epoch` is not an argument of ...
    """
    file, scope = find_file(str(path), Path.cwd())
    resolution = _Resolution()
    return _checked(Path(path), file, resolution, resolution.resolve(file, scope, ()), options)


def read_stored_config(path: Path) -> LoadedConfig:
    """What `load_config` gives for the config that a run keeps, which is data: nothing is executed.

    Args:
        path: config.py of a run folder.

    Raises:
        ConfigError: it is not there, something else than literals stands in it, or a key is wrong.

    >>> path = write('run/config.py', "seed = 1\\nmodel = dict(type='LSTM')\\nprint('I run')")
    >>> read_stored_config(path)
    Traceback (most recent call last):
        ...
    amlnn.errors.ConfigError: run/config.py:3: `print('I run')` is no data: a run stores no other
    """
    file = resolve(path) or path
    place = place_of(file)
    values = Located()
    try:
        for name, value, line in assignments(file.read_text(encoding='utf-8')):
            here = place._replace(line=line)
            values.put(name, located(value, here, name), here)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f'`{path}` cannot be read: {getattr(error, "strerror", "") or error}',
                          hint=_STORED) from None
    except NotData as error:
        raise ConfigError(f'{place._replace(line=error.line)}: `{error}` is no data: a run stores '
                          'no other', hint=_STORED) from None
    resolution = _Resolution()
    values = unfold(values)
    resolution.note_helpers(values, Located(), used=set())
    return _checked(Path(path), file, resolution, values, ())


_STORED = 'it is read and never executed: put back what the run wrote, or begin a run of your ' \
    'own config with --pretrained RUN/best.pth'


def _checked(path: Path, file: Path, resolution: '_Resolution', config: Located,
             options: Sequence[str]) -> LoadedConfig:
    """A resolved config under overrides, with every key checked."""
    if options:
        overrides = parse_options(options)
        resolution.note_helpers(overrides, config, used=set())
        merged = merge(overrides, config, into_lists=True)
        resolution.notes += follow_backbone(overrides, config, merged)
        resolution.notes += settle_weights(merged, OPTIONS.file)
        config = merged
    resolution.notes += place_data(config)
    place_own_modules(config, file.parent)
    helpers = resolution.helpers & set(config)
    findings, notes = check_config(config, helpers)
    _raise_first(resolution.findings + findings)
    for key in list(config):
        if key in helpers or key not in TOP_LEVEL:
            dict.pop(config, key)
    return LoadedConfig(
        path=path, name=file.stem, config=plain(config),
        origins={key: str(place) for key, place in _walk_places(config)},
        notes=list(dict.fromkeys(resolution.notes + notes)))


@dataclass
class _Resolution:
    """What is learnt while a file and its bases are read."""

    helpers: set[str] = field(default_factory=set)
    """Top-level names that only serve to write other keys."""
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def resolve(self, path: Path, scope: str | None, chain: tuple[Path, ...]) -> Located:
        base = Located()

        def inherit(bases: Sequence[tuple[str, int | None]], place: Place) -> Located:
            for name, line in bases:
                where = place._replace(line=line)
                file, base_scope = find_file(name, path.parent, f'{where}: ')
                if file in (path, *chain):
                    raise ConfigError(f'{where}: `{name}` inherits from this file in turn',
                                      hint='remove one of the two `_base_` entries')
                _join(base, self.resolve(file, base_scope, (path, *chain)), where)
            return base

        source = read_source(path, inherit)
        source.values = unfold(source.values)
        if source.deprecation:
            self.notes.append(f'{source.place}: {source.deprecation}')
        shipped = source.place.shipped
        values = source.values
        if source.whole:
            values = Located({key: values[key] for key in values if key in source.written})
            values.places.update(source.values.places)
            self.helpers |= source.used - set(TOP_LEVEL)
        self.note_helpers(values, base, source.read if shipped else source.used, shipped)
        for key in source.inherited - set(TOP_LEVEL):
            self.helpers.add(key)
        if source.whole:
            config = source.values
        else:
            config = merge(source.values, base)
            self.notes += follow_backbone(source.values, base, config)
        self.notes += settle_weights(config, source.place.file)
        return _with_scope(config, scope) if scope else config

    def note_helpers(self, values: Located, base: Located, used: set[str],
                     shipped: bool = False) -> None:
        """Tell names that only serve to write other keys from keys that nobody knows."""
        for key in values:
            if key in TOP_LEVEL:
                continue
            place = values.place(key)
            if key in used:
                self.helpers.add(key)
            elif key in base and not shipped:
                self.helpers.add(key)
                self.findings.append(Finding(
                    place, f'`{key}` is changed here and not used: what {base.place(key)} made '
                    'of it stays as it was', hint=_how_to_use(key, base)))
            elif key in base and key in self.helpers:
                self.notes.append(f'{place}: `{key}` is changed and not used')


def _how_to_use(key: str, base: Located) -> str:
    wanted = _without_scope(base[key])
    for user, value in dict.items(base):
        if user in TOP_LEVEL and isinstance(value, dict):
            for dotted, item in _leaves(value):
                if _without_scope(item) == wanted:
                    parts = dotted.split('.')
                    text = ''.join(f'dict({part}=' for part in parts)
                    return f'set {user} = {text}{key}{")" * len(parts)} too'
    return 'set the key that uses it, and write names private to a file with a leading `_`'


def _without_scope(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_scope(item) for key, item in dict.items(value) if key != '_scope_'}
    return [_without_scope(item) for item in value] if isinstance(value, list | tuple) else value


def _leaves(value: dict[str, Any], at: str = '') -> Iterator[tuple[str, object]]:
    for key, item in dict.items(value):
        dotted = f'{at}.{key}' if at else key
        yield dotted, item
        if isinstance(item, dict):
            yield from _leaves(item, dotted)


def _join(base: Located, other: Located, where: Place) -> None:
    for key, value in dict.items(other):
        if key in base:
            raise ConfigError(
                f'{where}: `{key}` is set by two base files, {base.place(key)} and '
                f'{other.place(key)}',
                hint='each base file sets keys of its own; let one inherit from the other')
        base.put(key, value, other.place(key))


def _with_scope(config: Located, scope: str) -> Located:
    """Let the outermost dicts that name a class look it up in the package they came from."""
    def mark(value: object) -> None:
        if isinstance(value, Located):
            if 'type' in value:
                if value.get('_scope_') is None:
                    value.put('_scope_', scope, value.place('type'))
                return
            for key, item in dict.items(value):
                if key not in _NO_SCOPE:
                    mark(item)
        elif isinstance(value, list | tuple):
            for item in value:
                mark(item)

    mark(config)
    return config


def _raise_first(findings: Sequence[Finding]) -> None:
    if not findings:
        return
    first = min(findings, key=lambda finding: finding.rank)
    more = len(findings) - 1
    message = f'{first.place}: {first.message}' if str(first.place) else first.message
    raise ConfigError(message + (f' (and {more} more)' if more else ''), hint=first.hint)


def _walk_places(value: object, at: str = '') -> Iterator[tuple[str, Place]]:
    if isinstance(value, Located):
        for key, item in dict.items(value):
            dotted = f'{at}.{key}' if at else str(key)
            yield dotted, value.place(key)
            yield from _walk_places(item, dotted)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _walk_places(item, f'{at}.{index}')
