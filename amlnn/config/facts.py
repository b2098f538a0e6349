"""What a class can declare of itself that its signature does not say: the vocabulary.

A fact is a constant in the body of the class, written out (`smallest = {'holdout': 0}`), so that it
is read from source and nothing is imported. Bases hand theirs on; of those that are dicts, a class
adds to what its bases declare. MMEngine, MMPretrain and torch know nothing of this: what would
stand beside their classes is in `library_facts.py`, in the same words.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeGuard

__all__ = ['NO_FACTS', 'VOCABULARY', 'Facts', 'Metric', 'gather']

Metric = Mapping[str, Any]
"""The section of a config that describes one metric."""


# A word that concerns one registry may mean anything in classes of another.
_DATA_SET = {'registry': 'DATASETS'}
_METRIC = {'registry': 'METRICS'}
_INITIALIZER = {'registry': 'WEIGHT_INITIALIZERS'}


@dataclass(frozen=True)
class Facts:
    """What a class and its bases declare; each field is one constant."""

    kind: str = field(default='', metadata=_DATA_SET)
    """Of a data set: which kind of experiment its samples make, 'forecasting' say."""
    loader: tuple[str, str] | None = field(default=None, metadata=_DATA_SET)
    """Of a data set: module and class of the loader that it needs, where that is not torch's."""
    same_in_every_part: dict[str, str] = field(default_factory=dict, metadata=_DATA_SET)
    """Of a data set: arguments that have to be equal in the training, validation and test part,
    and what would be wrong otherwise."""
    default_prefix: str | None = field(default=None, metadata=_METRIC)
    """Of a metric: what MMEngine puts before the names of its results."""
    reports: tuple[str, ...] | Callable[[Metric], list[str]] | None = field(
        default=None, metadata=_METRIC)
    """Of a metric: the names of its results. 'top{topk}' stands for one result for each value of
    its argument `topk`. None: nobody knows, so that anything can be monitored. A class with a
    `compute_metrics` of its own inherits none."""
    smallest: dict[str, int] = field(default_factory=dict)
    """Arguments and the least number that makes sense for each."""
    above: dict[str, int | None] = field(default_factory=dict)
    """Arguments of a number or a list of such, which have to be finite, and what they have to be
    greater than; None where that is all."""
    goes_with: dict[str, str] = field(default_factory=dict)
    """Arguments of numbers, and the one that each does nothing without, which has as many, or of
    which one stands for all."""
    builds: dict[str, object] = field(default_factory=dict)
    """Arguments and what is built of the dict that a config gives: the name of a registry; a tuple
    of that and of the arguments that the class supplies itself; a dict of keys, each with what is
    built of it; None for what nobody checks."""
    supplied: tuple[str, ...] = ()
    """Arguments that amlnn supplies: a config may give them, and is not told to."""
    also_takes: tuple[str, ...] = ()
    """What its `**kwargs` take, where reading on does not show it."""
    stands_for: tuple[str, tuple[str, ...]] | None = None
    """Of a class that needs amlnn's runner: MMEngine's class that does nearly the same with another
    one, and the arguments that both take."""
    loads_weights: bool = field(default=False, metadata=_INITIALIZER)
    """Of an initializer: it reads the weights from a file."""
    unread: tuple[str, ...] = field(default=(), metadata={'declared': False})
    """Constants with one of these names that are not written out, or say something else."""


NO_FACTS = Facts()

VOCABULARY = tuple(fact.name for fact in fields(Facts) if fact.metadata.get('declared', True))

_REGISTRY = {fact.name: fact.metadata.get('registry') for fact in fields(Facts)}


def gather(declared: Iterable[Mapping[str, object]], registry: str) -> Facts:
    """Facts of a class from what it and its bases declare.

    Args:
        declared: Name to value, of the class itself first.
        registry: The one that builds the class, '' for none.

    >>> declared = [{'smallest': {'crop': 1}}, {'smallest': {'crop': 0, 'size': 8}, 'kind': 3}]
    >>> gather(declared, 'DATASETS').smallest, gather(declared, 'DATASETS').unread
    ({'crop': 1, 'size': 8}, ('kind',))
    >>> gather(declared, 'MODELS').unread
    ()
    """
    found: dict[str, Any] = {}
    unread: list[str] = []
    for constants in declared:
        for name, value in constants.items():
            if name in unread or _REGISTRY[name] not in (None, registry):
                continue
            if not _SHAPES[name](value):
                unread.append(name)
            elif isinstance(value, Mapping):
                found[name] = {**value, **found.get(name, {})}
            else:
                found.setdefault(name, tuple(value) if isinstance(value, list) else value)
    return Facts(**found, unread=tuple(unread))


def _is_names(value: object) -> TypeGuard[Sequence[str]]:
    # A tuple is a list after it has been in the cache.
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def _is_by_name(value: object, fits: Callable[[object], bool]) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and fits(item) for name, item in value.items())


def _is_built(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.isupper()) \
        or (_is_names(value) and bool(value) and value[0].isupper()) \
        or _is_by_name(value, _is_built)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_SHAPES: dict[str, Callable[[object], bool]] = dict(
    kind=lambda value: isinstance(value, str) and bool(value),
    loader=lambda value: value is None or (_is_names(value) and len(value) == 2),
    same_in_every_part=lambda value: _is_by_name(value, lambda why: isinstance(why, str)),
    default_prefix=lambda value: value is None or isinstance(value, str),
    reports=lambda value: value is None or callable(value) or _is_names(value),
    smallest=lambda value: _is_by_name(value, _is_number),
    above=lambda value: _is_by_name(value, lambda least: least is None or _is_number(least)),
    goes_with=lambda value: _is_by_name(value, lambda partner: isinstance(partner, str)),
    builds=lambda value: _is_by_name(value, _is_built),
    supplied=_is_names,
    also_takes=_is_names,
    stands_for=lambda value: value is None or (isinstance(value, list | tuple) and len(value) == 2
                                               and isinstance(value[0], str)
                                               and _is_names(value[1])),
    loads_weights=lambda value: isinstance(value, bool))
