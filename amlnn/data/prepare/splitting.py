"""Which image goes to which split: a pure function of the names, the ratios and the seed."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from fractions import Fraction

__all__ = ['assign_groups', 'assign_splits', 'merge_groups', 'rank', 'split_counts']


def rank(seed: int, path: str) -> bytes:
    """The place of a path in an order that its seed alone decides.

    >>> sorted(['a', 'b', 'c'], key=lambda path: rank(0, path))
    ['a', 'b', 'c']
    """
    return hashlib.sha256(f'{seed}\n{path}'.encode()).digest()


def split_counts(total: int, ratios: Mapping[str, float]) -> dict[str, int]:
    """Divide `total` images by largest remainder; no split with a ratio stays empty.

    Rounding down, as BaseDT does, would send what is left over to the last split, whatever its
    ratio. Ratios are read as the decimals they print as, so that 0.7 of 10 is 7 and not 6.999.

    Args:
        total: Number of images, at least one for each ratio above 0.
        ratios: Share of each split, by name; those of 0 get no entry in the result.

    Raises:
        ValueError: there are fewer images than splits.

    >>> split_counts(9, {'train': 0.8, 'val': 0.2, 'test': 0.0})
    {'train': 7, 'val': 2}
    >>> split_counts(2, {'train': 0.9, 'val': 0.1})
    {'train': 1, 'val': 1}
    """
    exact = {split: Fraction(str(ratio)) for split, ratio in ratios.items() if ratio > 0}
    if total < len(exact):
        raise ValueError(f'{total} images cannot fill {len(exact)} splits')
    whole = sum(exact.values())
    quotas = {split: total * ratio / whole for split, ratio in exact.items()}
    counts = {split: int(quota) for split, quota in quotas.items()}
    # sorted() is stable: of equal remainders the earlier split wins, so train before val.
    by_remainder = sorted(counts, key=lambda split: counts[split] - quotas[split])
    for split in by_remainder[:total - sum(counts.values())]:
        counts[split] += 1
    for split in counts:
        if counts[split] == 0:
            counts[max(counts, key=counts.__getitem__)] -= 1
            counts[split] = 1
    return counts


def assign_splits(paths: Iterable[str], ratios: Mapping[str, float], seed: int,
                  copies: Iterable[Collection[str]] = ()) -> dict[str, str]:
    """Give every image its split.

    Within a class the images are ordered by the SHA-256 of seed and path, and the order is cut by
    `split_counts`. Unlike a shuffle, this order does not change when an image is added or removed:
    only those next to a cut move, at most one for each cut and one for the newcomer's own place.
    Neither the order of `paths` nor the machine, the locale or the state of `random` matters.

    Copies of one image always share a split, or the validation set would hold training images.
    They are placed first, the largest group before the others, so that the counts are met as
    closely as the groups allow.

    Args:
        paths: `<class>/<file>` of each image.
        ratios: Share of each split, by name, in the order in which they are filled.
        seed: Another seed is another split.
        copies: Groups of paths, from one or several classes, that hold the same image.

    Returns:
        The split's name for each path, sorted by class, then by file: the order in which
        MMPretrain scans folders.

    Raises:
        ValueError: a class has fewer images than there are splits.

    >>> assign_splits(['cat/1.jpg', 'cat/2.jpg', 'cat/3.jpg'], {'train': 0.7, 'val': 0.3}, seed=0)
    {'cat/1.jpg': 'train', 'cat/2.jpg': 'val', 'cat/3.jpg': 'train'}
    """
    leader = {path: min(group) for group in copies for path in group}
    classes: dict[str, dict[str, list[str]]] = {}
    for path in paths:
        units = classes.setdefault(path.split('/', 1)[0], {})
        units.setdefault(leader.get(path, path), []).append(path)
    split_of: dict[str, str] = {}  # by leader, so that a group spanning classes is placed once
    for _, units in sorted(classes.items()):
        _place(units, split_counts(sum(map(len, units.values())), ratios), seed, split_of)
    chosen = {path: split_of[lead] for units in classes.values()
              for lead, members in units.items() for path in members}
    # By the parts: as one string 'a b/1' sorts before 'a/1'.
    return {path: chosen[path] for path in sorted(chosen, key=lambda path: path.split('/', 1))}


def _place(units: Mapping[str, list[str]], room: dict[str, int], seed: int,
           split_of: dict[str, str]) -> None:
    """Enter the split of each unit (an image, or the copies of one) of a class into `split_of`."""
    empty = list(room)

    def put(lead: str, split: str) -> None:
        split_of[lead] = split
        room[split] -= len(units[lead])
        if split in empty:
            empty.remove(split)

    for lead in units:
        if lead in split_of:
            put(lead, split_of[lead])
    waiting = sorted((lead for lead in units if lead not in split_of),
                     key=lambda lead: (-len(units[lead]), rank(seed, lead)))
    for placed, lead in enumerate(waiting):
        # The last units go where nothing is yet: a large group must not leave a split empty.
        choice = empty if len(waiting) - placed <= len(empty) else list(room)
        fitting = [split for split in choice if room[split] >= len(units[lead])]
        put(lead, fitting[0] if fitting else max(choice, key=room.__getitem__))


def merge_groups(groups: Iterable[Collection[str]]) -> list[list[str]]:
    """Groups of paths, with those that share a path made one; sorted.

    >>> merge_groups([['a', 'b'], ['c', 'd'], ['b', 'e']])
    [['a', 'b', 'e'], ['c', 'd']]
    """
    leader: dict[str, str] = {}

    def find(path: str) -> str:
        while leader.setdefault(path, path) != path:
            path = leader[path]
        return path

    for group in groups:
        first, *others = group
        for path in others:
            leader[find(path)] = find(first)
        find(first)
    merged: dict[str, list[str]] = defaultdict(list)
    for path in leader:
        merged[find(path)].append(path)
    return sorted(sorted(group) for group in merged.values())


def assign_groups(groups: Iterable[Collection[str]], ratios: Mapping[str, float],
                  seed: int) -> dict[str, str]:
    """Give every image its split, and all of a group the same.

    Each group in turn, the largest first, goes where the counts of its classes then come closest to
    what `split_counts` asks of each class; of groups that are equally large the seed orders. Then
    classes that have no image in a split get a group moved there, where another can spare it.

    Args:
        groups: Paths `<class>/<file>` of the images of each group, each image in one group.
        ratios: Share of each split, by name.
        seed: Another seed is another split.

    Returns:
        The split's name for each path, sorted by class, then by file. A class whose images are in
        fewer groups than there are splits is missing in one.

    >>> split = assign_groups([['a/1', 'a/2'], ['a/3', 'b/1'], ['b/2', 'b/3'], ['a/4', 'b/4']],
    ...                       {'train': 0.5, 'val': 0.5}, seed=0)
    >>> split['a/1'] == split['a/2'], sorted(split.values()).count('train')
    (True, 4)
    """
    groups = [list(group) for group in groups]
    units = {min(group): Counter(path.split('/', 1)[0] for path in group) for group in groups}
    members = {min(group): group for group in groups}
    totals = sum(units.values(), Counter())
    wanted = {name: split_counts(total, ratios) if total >= sum(r > 0 for r in ratios.values())
              else {split: total * ratio for split, ratio in ratios.items() if ratio > 0}
              for name, total in totals.items()}
    splits = [split for split, ratio in ratios.items() if ratio > 0]
    have: dict[str, Counter] = {split: Counter() for split in splits}
    chosen: dict[str, str] = {}

    def cost(unit: Counter, split: str) -> float:
        """By how much the squared misses, as shares of what is wanted, grow."""
        grown = 0.0
        for name, count in unit.items():
            aim = max(wanted[name][split], 0.5)
            before = have[split][name] - aim
            grown += ((before + count) ** 2 - before ** 2) / aim
        return grown

    def put(lead: str, split: str) -> None:
        if lead in chosen:
            have[chosen[lead]].subtract(units[lead])
        chosen[lead] = split
        have[split].update(units[lead])

    for lead in sorted(units, key=lambda lead: (-units[lead].total(), rank(seed, lead))):
        put(lead, min(splits, key=lambda split: cost(units[lead], split)))
    for name in sorted(totals, key=lambda name: (totals[name], name)):
        for split in splits:
            if have[split][name] > 0:
                continue
            spare = [lead for lead, unit in units.items() if unit[name] and all(
                have[chosen[lead]][other] > count for other, count in unit.items())]
            if spare:
                put(min(spare, key=lambda lead: (units[lead].total(), rank(seed, lead))), split)
    found = {path: chosen[lead] for lead, paths in members.items() for path in paths}
    return {path: found[path] for path in sorted(found, key=lambda path: path.split('/', 1))}
