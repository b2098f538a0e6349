"""The nearest right name: what an error offers when a name is unknown."""

from collections.abc import Iterable

__all__ = ['did_you_mean', 'distance', 'is_near', 'nearest']


def distance(a: str, b: str, limit: int | None = None) -> int:
    """Damerau-Levenshtein distance: insertions, deletions, replacements and swaps of neighbours.

    Args:
        a: One string.
        b: The other.
        limit: Above this the answer may be any number greater than it, which is found sooner.

    >>> distance('momentun', 'momentum'), distance('lra', 'lar'), distance('ca', 'abc')
    (1, 1, 3)
    """
    if a == b:
        return 0
    # Every letter more, and every kind of letter that the other lacks, is an edit. For a config
    # without a slip this answers all questions, and the import below is never waited for.
    least = max(abs(len(a) - len(b)), len({*a} - {*b}), len({*b} - {*a}))
    if limit is not None and least > limit:
        return limit + 1
    from rapidfuzz.distance import OSA
    return OSA.distance(a, b, score_cutoff=limit)


def nearest(name: str, known: Iterable[str], limit: int | None = None) -> list[str]:
    """The names of `known` that `name` may have been meant to be, most likely first.

    Args:
        name: What was written.
        known: What could have been written.
        limit: How many edits away a name may be; by default 1 for names of up to 2 letters, 3
            for names of more than 5, else 2.

    >>> nearest('momentun', ['lr', 'momentum', 'moment'])
    ['momentum', 'moment']
    """
    if limit is None:
        limit = 1 if len(name) <= 2 else 2 if len(name) <= 5 else 3
    ranked = []
    for candidate in dict.fromkeys(known):
        edits = distance(name, candidate, limit)
        if edits <= limit and candidate != name:
            # Of two names equally far, the one made of the same letters is a slip of the fingers.
            ranked.append((candidate.lower() != name.lower(), edits,
                           sorted(candidate) != sorted(name), candidate[:1] != name[:1],
                           candidate))
    return [entry[-1] for entry in sorted(ranked)]


def is_near(name: str, known: Iterable[str]) -> bool:
    """Whether `name` is within two edits of one of `known`: surely a slip."""
    return bool(nearest(name, known, 1 if len(name) <= 2 else 2))


def did_you_mean(name: str, known: Iterable[str], limit: int | None = None) -> str:
    """The question that begins a hint, or '' where no name is near.

    >>> did_you_mean('momentun', ['lr', 'momentum'])
    'did you mean `momentum`?'
    """
    names = nearest(name, known, limit)
    return f'did you mean `{names[0]}`?' if names else ''
