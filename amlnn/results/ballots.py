"""The stored predictions of several classifiers, put side by side image by image."""

import os
import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amlnn.errors import DataError
from amlnn.results.grouping import group_runs, titles
from amlnn.results.kinds import kind_of
from amlnn.results.store import Predictions, StoredRun, find_runs

__all__ = ['Ballots', 'Member', 'command_for', 'ensemble_section', 'read_ballots', 'read_members',
           'same_images', 'shown_path']

# M members, N images, K classes

_SAME_DATA = 'test all on the same data: python tools/test.py CONFIG CHECKPOINT --data DIR'
_WORDNET = re.compile(r'(n\d{8})(?: |$)')
_OFF = 0.01  # what the sum of an image's probabilities may miss of 1: half precision misses 0.001


@dataclass(frozen=True)
class Member:
    """A run that votes."""

    title: str
    """Tells it from the other members: config name, and seed or folder where that is needed."""
    run: StoredRun


@dataclass(frozen=True)
class Ballots:
    """What all members say of the images of one split, in the order of one of them."""

    split: str
    ids: np.ndarray
    """[N] str."""
    labels: np.ndarray
    """[N] int64, of `classes`."""
    probs: np.ndarray
    """[M, N, K] float32."""
    classes: list[str]

    @property
    def correct(self) -> np.ndarray:
        """[M, N] bool: which member is right where."""
        same: np.ndarray = self.probs.argmax(axis=2) == self.labels
        return same


def read_members(paths: Sequence[Path | str]) -> tuple[list[Member], list[str]]:
    """The classifiers at `paths` (see `find_runs`), and what a reader must know of them.

    Runs that are votes themselves are left out, which is said, so that a folder of runs can be
    given again.

    Raises:
        DataError: fewer than two, or one that is no classifier.

    >>> runs = tiny_run('one'), tiny_run('two'), tiny_run('two', seed=1)
    >>> [member.title for member in read_members(['work_dirs'])[0]]
    ['one', 'two, seed 0', 'two, seed 1']
    """
    found = find_runs(paths)
    votes = [run for run in found if ensemble_section(run) is not None]
    notes = [f'Left out are {len(votes)} runs that are votes themselves '
             f'({_first([run.name for run in votes])}).'] if votes else []
    runs = [run for run in found if ensemble_section(run) is None]
    for run in runs:
        if not kind_of(run.record).votes:
            raise DataError(f'`{run.name}` is a run of {run.record.kind}, and classifiers vote',
                            hint='leave it out')
    if len(runs) < 2:
        named = f': `{runs[0].name}`' if runs else ''
        raise DataError(f'a vote needs two members, and {len(runs)} is given{named}',
                        hint='give two runs or more; one that is given twice counts once')
    named_by = titles(group_runs(runs))
    times = Counter(named_by.values())
    notes += [f'{run.name} is {run.record.status}: its training did not come to its end.'
              for run in runs if run.record.status != 'done']
    return [Member(title if times[title := named_by[run.folder]] == 1
                   else shown_path(run.folder), run) for run in runs], notes


def ensemble_section(run: StoredRun) -> dict[str, Any] | None:
    """What the config of a run that is a vote says of it; None for any other run.

    >>> ensemble_section(tiny_run()) is None
    True
    """
    section = (run.config or {}).get('ensemble')
    return section if isinstance(section, dict) and 'voting' in section else None


def read_ballots(members: Sequence[Member], split: str) -> Ballots:
    """Read the members' predictions and align them by the ids of the images.

    Classes in another order are put into the first member's. Where all members name their classes
    by WordNet numbers, as `n01443537 goldfish`, one that knows more of them, such as a network of
    ImageNet's 1000, is asked for its probabilities among those that the others know.

    Raises:
        DataError: predictions are missing or damaged, or two members have not the same images,
            labels or classes.

    >>> members, _ = read_members([tiny_run('one').folder, tiny_run('two').folder])
    >>> read_ballots(members, 'val').probs.shape
    (2, 4, 2)
    """
    found = [_predictions(member, split) for member in members]
    fewest = min(range(len(found)), key=lambda place: len(found[place].classes))
    first, known = members[fewest], found[fewest]
    probs = [known.probs if member is first else _aligned(member, each, first, known, split)
             for member, each in zip(members, found, strict=True)]
    return Ballots(split, known.ids, known.labels, np.stack(probs), known.classes)


def same_images(members: Sequence[Member], split: str) -> bool:
    """Whether all members have predictions of the same images, by their ids.

    >>> members, _ = read_members([tiny_run('one').folder, tiny_run('two').folder])
    >>> same_images(members, 'val')
    True
    """
    ids = [np.sort(_predictions(member, split).ids) for member in members]
    return all(np.array_equal(ids[0], each) for each in ids[1:])


def command_for(run: StoredRun, split: str) -> str:
    """The command that stores a run's predictions on a split.

    >>> command_for(tiny_run(), 'test')
    'python tools/test.py work_dirs/tiny/run-0/config.py CHECKPOINT --split test'
    """
    record, best = run.record, run.folder / 'best.pth'
    config = record.config_path if Path(record.config_path).is_file() \
        else shown_path(run.folder / 'config.py')
    if best.is_file():
        checkpoint = shown_path(best)
    else:
        checkpoint = 'CHECKPOINT' if record.epochs or not record.pretrained else 'pretrained'
    words = shlex.join([str(config), str(checkpoint), '--split', split])
    return f'python tools/test.py {words}'


def shown_path(path: Path) -> str:
    """A path as a user names it: from the working folder, if it lies below.

    >>> shown_path(Path.cwd() / 'work_dirs')
    'work_dirs'
    """
    relative = os.path.relpath(path)
    return str(path) if relative.startswith(os.pardir) else relative


def _predictions(member: Member, split: str) -> Predictions:
    """A member's predictions, which have to be probabilities of images that differ."""
    if not member.run.has_predictions(split):
        raise DataError(f'`{member.run.name}` has no stored predictions of `{split}`',
                        hint=command_for(member.run, split))
    found = member.run.predictions(split)
    values, counts = np.unique(found.ids, return_counts=True)
    if counts.max() > 1:
        raise DataError(f'`{member.run.name}` has {int((counts > 1).sum())} images of `{split}` '
                        f'more than once: {_first(values[counts > 1])}',
                        hint='members are put side by side by these ids, which have to differ')
    sums = found.probs.sum(axis=1, dtype=np.float64)
    if found.probs.min() < 0 or np.abs(sums - 1).max() > _OFF:
        raise DataError(
            f'what `{member.run.name}` gives of `{split}` is no probabilities: an image has from '
            f'{sums.min():.3g} to {sums.max():.3g} in all, the least is {found.probs.min():.3g}',
            hint='members have to be classifiers of one class an image, whose head ends in softmax')
    return found


def _aligned(member: Member, found: Predictions, first: Member, known: Predictions,
             split: str) -> np.ndarray:
    """[N, K] float32: probabilities in the order of the first member's images and classes."""
    both = f'`{member.run.name}` and `{first.run.name}`'
    columns = _columns(found, known, both, member, first)
    _same_ids(found, known, both, split)
    order = np.argsort(found.ids)
    rows = order[np.searchsorted(found.ids, known.ids, sorter=order)]
    labels = found.labels[rows]
    other = np.flatnonzero(labels != columns[known.labels])
    if len(other):
        shown = [f'{known.ids[n]} ({found.classes[labels[n]]} and {known.classes[known.labels[n]]})'
                 for n in other]
        raise DataError(f'{both} have different labels of {len(other):,} of {len(known.ids):,} '
                        f'images of `{split}`: {_first(shown)}', hint=_SAME_DATA)
    probs = found.probs[rows][:, columns]
    return probs if len(columns) == len(found.classes) else _among(probs)


def _columns(found: Predictions, known: Predictions, both: str, member: Member,
             first: Member) -> np.ndarray:
    """[K] int: where each class of the first member stands with this one."""
    if found.classes == known.classes:
        return np.arange(len(known.classes))
    names, wanted = _wordnet_numbers(found.classes), _wordnet_numbers(known.classes)
    if names is None or wanted is None:
        names, wanted = found.classes, known.classes
        unlike = set(names) ^ set(wanted)
    else:
        unlike = set(wanted) - set(names)
    mine, theirs = set(names), set(wanted)
    if unlike or len(mine) < len(names) or len(theirs) < len(wanted):
        parts = [f'only `{who.run.name}` has {_first(sorted(only))}'
                 for who, only in ((member, mine - theirs), (first, theirs - mine)) if only]
        parts = parts or ['several have one name, and their order differs']
        raise DataError(f'{both} have different classes, {len(found.classes)} and '
                        f'{len(known.classes)}: {"; ".join(parts)}', hint=_SAME_DATA)
    place = {name: number for number, name in enumerate(names)}
    return np.array([place[name] for name in wanted])


def _wordnet_numbers(classes: Sequence[str]) -> list[str] | None:
    """The WordNet numbers with which all names begin; None where one does not.

    >>> _wordnet_numbers(['n01443537 goldfish', 'n01629819']), _wordnet_numbers(['goldfish'])
    (['n01443537', 'n01629819'], None)
    """
    found = [_WORDNET.match(name) for name in classes]
    return [each[1] for each in found if each] if all(found) else None


def _among(probs: np.ndarray) -> np.ndarray:
    """[N, K] float32: what some of the classes have, brought to a sum of 1."""
    sums = probs.sum(axis=1, keepdims=True, dtype=np.float64)
    equal = np.full_like(sums, 1 / probs.shape[1])  # where float32 has nothing left of them
    return np.where(sums > 0, probs / np.where(sums > 0, sums, 1), equal).astype(np.float32)


def _same_ids(found: Predictions, known: Predictions, both: str, split: str) -> None:
    mine, theirs = np.setdiff1d(found.ids, known.ids), np.setdiff1d(known.ids, found.ids)
    if len(mine) or len(theirs):
        parts = [f'{len(ids):,} only the {which} has ({_first(ids)})'
                 for which, ids in (('former', mine), ('latter', theirs)) if len(ids)]
        raise DataError(f'{both} have not the same images of `{split}`, {len(found.ids):,} and '
                        f'{len(known.ids):,}: {", ".join(parts)}', hint=_SAME_DATA)


def _first(names: Sequence[str] | np.ndarray, most: int = 3) -> str:
    """The first few of some names.

    >>> _first(['a', 'b', 'c', 'd'])
    'a, b, c, ...'
    """
    return ', '.join([*map(str, names[:most]), *['...'] * (len(names) > most)])
