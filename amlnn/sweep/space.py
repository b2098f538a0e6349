"""What a sweep tries: axes of dotted keys, each a list of values or a range.

A sweep is a file of literals beside the configs::

    config = '../resnet50_baseline.py'                      # or a list of them
    axes = {'model.frozen_stages': [-1, 1, 2, 3, 'all'],
            'optim_wrapper.optimizer.lr': dict(low=1e-4, high=1e-1, log=True)}
    seeds = 3                                               # 0, 1, 2; or a list
"""

import ast
import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from amlnn.config.resolved import evaluate
from amlnn.errors import ConfigError, UsageError
from amlnn.foreign_texts import parse_python
from amlnn.suggest import nearest

__all__ = ['METHODS', 'Range', 'Sweep', 'grid', 'random_points', 'read_sweep']

METHODS = ('grid', 'random', 'tpe', 'halving')

Point = dict[str, Any]
"""A value for every axis; under CONFIG the config where there are several."""

CONFIG = 'config'


@dataclass(frozen=True)
class Range:
    """Numbers between two, both included.

    >>> Range(1, 10).at(0.5), Range(1e-4, 1e-2, log=True).at(0.5), Range(8, 64, step=8).at(0.99)
    (5.5, 0.001, 64)
    """

    low: float
    high: float
    log: bool = False
    """Equally likely on a logarithmic scale."""
    step: float | None = None
    """Only the low end and what lies whole steps above it; whole numbers where all three are."""

    def at(self, share: float) -> float:
        """The value that a share of the range lies below."""
        if self.step is not None:
            places = int((self.high - self.low) / self.step + 1e-9) + 1
            value = self.low + self.step * min(int(share * places), places - 1)
            return value
        if self.log:
            value = math.exp(math.log(self.low) + share * math.log(self.high / self.low))
        else:
            value = self.low + share * (self.high - self.low)
        # More digits than anybody wants to type make no other experiment.
        return float(f'{value:.6g}')


@dataclass
class Sweep:
    """A sweep file, checked but for what the configs themselves say."""

    path: Path
    configs: list[str]
    """As the file names them."""
    axes: dict[str, list[Any] | Range] = field(default_factory=dict)
    method: str = 'grid'
    trials: int | None = None
    """How many points are drawn or asked for; None for a grid."""
    prune: bool = False
    """With 'tpe': stop a trial whose validation curve falls behind, by successive halving."""
    min_epochs: int = 1
    """Epochs that no trial is stopped before."""
    reduction: int = 3
    """One in so many goes on at each step of successive halving."""
    seeds: list[int] = field(default_factory=lambda: [0])
    folds: int | None = None
    options: Point = field(default_factory=dict)
    """Overrides of every trial."""
    test: str | None = None
    """'val' or 'test'; None for 'test' where the data have one."""
    baseline: Point | str | None = None
    """Of the table: values of axes, or the name of a config."""
    reported: dict[Any, float] = field(default_factory=dict)
    """Figures that somebody else reported, by the value of the axis, or a tuple of all."""
    source: str = ''
    """Who reported them."""
    seed: int = 0
    """Of what is drawn."""

    @property
    def name(self) -> str:
        """Of the file."""
        return self.path.stem

    def take_seeds(self, count: int) -> None:
        """Take seeds 0 to count - 1.

        Raises:
            UsageError: that is none.
        """
        if count < 1:
            raise UsageError(f'--seeds is {count}', hint='at least 1')
        self.seeds = list(range(count))

    @property
    def dimensions(self) -> dict[str, list[Any] | Range]:
        """The axes, the config first where there are several."""
        several = {CONFIG: list(self.configs)} if len(self.configs) > 1 else {}
        return {**several, **self.axes}


def grid(axes: Mapping[str, Sequence[Any] | Range]) -> Iterator[Point]:
    """Every combination, the last axis changing fastest.

    >>> [tuple(point.values()) for point in grid({'a': [1, 2], 'b': 'xy'})]
    [(1, 'x'), (1, 'y'), (2, 'x'), (2, 'y')]
    """
    lists = [_steps(axis) if isinstance(axis, Range) else axis for axis in axes.values()]
    for values in itertools.product(*lists):
        yield dict(zip(axes, values, strict=True))


def random_points(axes: Mapping[str, Sequence[Any] | Range], count: int,
                  seed: int) -> list[Point]:
    """Points drawn at random, no two the same; fewer where there are not as many.

    >>> points = random_points({'a': [1, 2, 3], 'lr': Range(1e-4, 1e-1, log=True)}, 4, seed=0)
    >>> len(points), points == random_points({'a': [1, 2, 3], 'lr': Range(1e-4, 1e-1, log=True)},
    ...                                      4, seed=0)
    (4, True)
    """
    generator = np.random.default_rng(seed)
    found: dict[str, Point] = {}
    for _ in range(100 * count):
        if len(found) == count:
            break
        point = {}
        for key, axis in axes.items():
            share = float(generator.random())
            point[key] = axis.at(share) if isinstance(axis, Range) \
                else axis[min(int(share * len(axis)), len(axis) - 1)]
        found.setdefault(repr(point), point)
    return list(found.values())


_KEYS = {'config': 'configs', **{name.name: name.name for name in dataclasses.fields(Sweep)
                                 if name.name not in ('path', 'configs')}}


def read_sweep(path: Path | str) -> Sweep:
    """Read a sweep file.

    Raises:
        ConfigError: it cannot be read, or something in it is not what it can be.

    >>> path = write('sweep.py', "config = 'a.py'\\naxes = {'model.depth': [18, 50]}\\nseeds = 2")
    >>> sweep = read_sweep(path)
    >>> sweep.axes, sweep.seeds
    ({'model.depth': [18, 50]}, [0, 1])
    """
    path = Path(path)
    values, lines = _assignments(path)
    for key in values:
        if key not in _KEYS:
            near = nearest(key, list(_KEYS))
            raise ConfigError(f'{path}:{lines[key]}: `{key}` is not a key of a sweep',
                              hint=f'did you mean `{near[0]}`?' if near else
                              f'one of {", ".join(_KEYS)}')
    if not values.get('config'):
        raise ConfigError(f'{path}: a sweep has no `config`', hint="config = '../my_config.py'")

    def wrong(key: str, want: str) -> ConfigError:
        return ConfigError(f'{path}:{lines[key]}: `{key}` is {values[key]!r}', hint=want)

    given = {_KEYS[key]: value for key, value in values.items()}
    configs = given['configs']
    given['configs'] = [configs] if isinstance(configs, str) else list(configs)
    if not all(isinstance(each, str) for each in given['configs']):
        raise wrong('config', "a path, or a list of them: ['a.py', 'b.py']")
    if 'axes' in values:
        if not isinstance(values['axes'], dict):
            raise wrong('axes', "axes = {'optim_wrapper.optimizer.lr': [0.1, 0.01]}")
        given['axes'] = {key: _axis(path, lines['axes'], key, axis)
                         for key, axis in values['axes'].items()}
    seeds = values.get('seeds', 1)
    if _is_count(seeds):
        given['seeds'] = list(range(seeds))
    elif not (isinstance(seeds, list | tuple) and seeds and all(map(_is_number, seeds))
              and len(set(seeds)) == len(seeds)):
        raise wrong('seeds', 'a number of seeds from 1 on, or a list of them')
    else:
        given['seeds'] = list(seeds)
    for key, good, want in (
            ('method', lambda value: value in METHODS, f'one of {", ".join(METHODS)}'),
            ('trials', _is_count, 'a number from 1 on'),
            ('min_epochs', _is_count, 'a number from 1 on'),
            ('reduction', lambda value: _is_count(value) and value > 1, 'a number from 2 on'),
            ('prune', lambda value: isinstance(value, bool), 'True or False'),
            ('folds', lambda value: value is None or (_is_count(value) and value > 1),
             'a number of folds from 2 on'),
            ('test', lambda value: value in (None, 'val', 'test'), "'val' or 'test'"),
            ('options', lambda value: isinstance(value, dict), "{'train_cfg.max_epochs': 10}"),
            ('baseline', lambda value: isinstance(value, dict | str), 'values of axes, such as '
             "{'model.frozen_stages': -1}, or the name of a config"),
            ('reported', lambda value: isinstance(value, dict), '{value of the axis: figure}'),
            ('source', lambda value: isinstance(value, str), 'a string'),
            ('seed', _is_number, 'a whole number')):
        if key in values and not good(values[key]):
            raise wrong(key, want)
    sweep = Sweep(path=path, **given)
    _check(sweep, wrong, lines)
    return sweep


def _check(sweep: Sweep, wrong: Any, lines: dict[str, int]) -> None:
    """What two keys say together."""
    if sweep.method == 'grid':
        for key, axis in sweep.axes.items():
            if isinstance(axis, Range) and axis.step is None:
                raise ConfigError(
                    f'{sweep.path}:{lines["axes"]}: `{key}` is a range, and a grid takes lists',
                    hint="list the values, give the range a step, or method = 'random'")
        sweep.axes = {key: _steps(axis) if isinstance(axis, Range) else axis
                      for key, axis in sweep.axes.items()}
        if 'trials' in lines:
            raise ConfigError(f'{sweep.path}:{lines["trials"]}: a grid has all its trials, and '
                              f'`trials` is {sweep.trials}', hint="take it out, or method='random'")
    elif sweep.trials is None:
        raise ConfigError(f'{sweep.path}: `method` is {sweep.method!r}, and `trials` is not set',
                          hint='trials = 20')
    if sweep.prune and sweep.method != 'tpe':
        raise wrong('prune', "it goes with method = 'tpe'; 'halving' prunes by itself")
    dimensions = sweep.dimensions
    if isinstance(sweep.baseline, dict):
        for key, value in sweep.baseline.items():
            known = dimensions.get(key)
            if known is None or (isinstance(known, list) and value not in known):
                raise wrong('baseline', f'values of the axes {", ".join(dimensions)}')
    for key in sweep.reported:
        parts = key if isinstance(key, tuple) else (key,)
        if len(parts) != len(dimensions) or any(
                isinstance(axis, list) and part not in axis
                for part, axis in zip(parts, dimensions.values(), strict=True)):
            raise ConfigError(
                f'{sweep.path}:{lines["reported"]}: `reported` has {key!r}, which is no point of '
                'the sweep', hint=f'a value of {", ".join(dimensions) or "an axis"}')


def _steps(axis: Range) -> list[float]:
    assert axis.step is not None
    count = int((axis.high - axis.low) / axis.step + 1e-9) + 1
    return [axis.low + axis.step * place for place in range(count)]


def _axis(path: Path, line: int, key: str, value: Any) -> list[Any] | Range:
    place = f'{path}:{line}: the axis `{key}`'
    if isinstance(value, dict):
        unknown = set(value) - {'low', 'high', 'log', 'step'}
        if unknown or not {'low', 'high'} <= set(value):
            raise ConfigError(f'{place} is {value!r}',
                              hint='a list of values, or dict(low=1e-4, high=1e-1, log=True)')
        found = Range(**value)
        numbers = [found.low, found.high, *([] if found.step is None else [found.step])]
        if not all(isinstance(each, int | float) and not isinstance(each, bool)
                   for each in numbers) or found.low >= found.high \
                or (found.log and (found.low <= 0 or found.step is not None)) \
                or (found.step is not None and found.step <= 0):
            raise ConfigError(f'{place} is {value!r}', hint='low is less than high, both are more '
                              'than 0 where log=True, and a step goes without log')
        return found
    if not isinstance(value, list | tuple) or not value:
        raise ConfigError(f'{place} is {value!r}', hint='a list of values')
    repeated = [each for place, each in enumerate(value) if each in value[:place]
                and type(each) is type(value[value.index(each)])]
    if repeated:
        raise ConfigError(f'{place} has {repeated[0]!r} twice', hint='take one out')
    return list(value)


def _assignments(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """Names of a file with their values and lines."""
    try:
        tree = parse_python(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise ConfigError(f'no sweep file at `{path}`',
                          hint='configs/sweeps has examples') from None
    except (OSError, UnicodeDecodeError, SyntaxError, ValueError) as error:
        raise ConfigError(f'`{path}` cannot be read: {error}',
                          hint='a sweep is a Python file of literals') from None
    values, lines = {}, {}
    for node in tree.body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # its docstring
        if not (isinstance(node, ast.Assign) and len(node.targets) == 1
                and isinstance(node.targets[0], ast.Name)):
            raise ConfigError(f'{path}:{node.lineno}: a sweep has lines `key = value` only',
                              hint="config = '../my_config.py'")
        name = node.targets[0].id
        try:
            values[name] = evaluate(node.value)
        except ValueError:
            raise ConfigError(f'{path}:{node.lineno}: `{name}` is not made of literals',
                              hint='numbers, strings, lists, dict(...)') from None
        lines[name] = node.lineno
    if '_base_' in values:
        raise ConfigError(f'{path}:{lines["_base_"]}: this is a config, and a sweep is asked for',
                          hint="a sweep names it: config = '../my_config.py'")
    return values, lines


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
