"""Which images are nearly the same by their features, and which are unlike all of their class."""

from collections.abc import Iterator

import numpy as np

from amlnn.formulas.standardised import BLOCK, Standardised, blocks

__all__ = ['close_pairs', 'coordinates', 'far_out', 'linked', 'nearest', 'own_class_distance']

# N images, C features, D coordinates, P pairs, B and E images of two blocks

_ROWS, _COLUMNS = 1024, 16_384
_CANDIDATES = 64
"""Of an image, those that are compared in full: of a film all frames are close."""


def coordinates(features: Standardised, directions: int = 128, seed: int = 0) -> np.ndarray:
    """Few numbers an image, whose dot products are never below the cosines of the features.

    The first are those along the directions in which the features vary most; the last is the
    length of the rest. Two rests are at most parallel, so that the product is an upper bound: what
    is not close by it is not close.

    Args:
        features: Of the N images.
        directions: D - 1, at most the features' own number.
        seed: Of the search for the directions; the bound holds for any.

    Returns:
        float32 [N, D], rows of length 1.

    Source: N. Halko, P. G. Martinsson and J. A. Tropp, Finding structure with randomness, SIAM
    Review 53 (2011) 217-288, algorithm 4.4 on up to 4,096 rows.

    >>> from amlnn.formulas.standardised import standardise
    >>> features = standardise(np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32))
    >>> few, all_ = coordinates(features, 2), features.unit_rows(slice(None))
    >>> few.shape, bool((few @ few.T >= all_ @ all_.T - 1e-5).all())
    ((9, 3), True)
    """
    generator = np.random.default_rng(seed)
    count, width = len(features), features.width
    directions = min(directions, width)
    places = np.arange(count) if count <= BLOCK else \
        np.sort(generator.choice(count, BLOCK, replace=False))
    sample_BC = features.unit_rows(places)
    basis_CD = np.linalg.qr(generator.normal(size=(width, directions)).astype(np.float32))[0]
    for _ in range(3):
        basis_CD = np.linalg.qr(sample_BC.T @ (sample_BC @ basis_CD))[0]
    found_ND = np.empty((count, directions + 1), np.float32)
    for part in blocks(count):
        rows_BC = features.unit_rows(part)
        found_ND[part, :-1] = rows_BC @ basis_CD
        found_ND[part, -1] = np.sqrt(np.maximum(
            (rows_BC ** 2).sum(axis=1) - (found_ND[part, :-1] ** 2).sum(axis=1), 0))
    return found_ND


def close_pairs(features: Standardised, few_ND: np.ndarray,
                least: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of images whose standardised features have a cosine of at least `least`.

    Args:
        features: Of the N images.
        few_ND: Their `coordinates`.
        least: Between 0 and 1.

    Returns:
        int [P, 2], the smaller place first, in order; and the cosines, float32 [P]. Of an image
        that is close to more than 64 later ones, the 64 that seem closest.

    >>> from amlnn.formulas.standardised import standardise
    >>> rows = np.array([[1, 0, 2], [0, 1, 0], [1.01, 0, 2], [-1, 3, -2]], np.float32)
    >>> features = standardise(rows)
    >>> close_pairs(features, coordinates(features), 0.99)[0].tolist()
    [[0, 2]]
    """
    pairs, cosines = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.float32)]
    for places_P2 in _candidates(few_ND, least):
        for part in blocks(len(places_P2), BLOCK // 2):
            one_P, other_P = places_P2[part].T
            cosine_P = np.einsum('pc,pc->p', features.unit_rows(one_P),
                                 features.unit_rows(other_P))
            kept = cosine_P >= least
            pairs.append(places_P2[part][kept])
            cosines.append(cosine_P[kept])
    found_P2, cosine_P = np.concatenate(pairs), np.concatenate(cosines)
    order = np.lexsort((found_P2[:, 1], found_P2[:, 0]))
    return found_P2[order], cosine_P[order]


def _candidates(few_ND: np.ndarray, least: float) -> Iterator[np.ndarray]:
    """Pairs that may be close, int [P, 2], for a block of first images at a time."""
    count = len(few_ND)
    for rows in blocks(count, _ROWS):
        found, bounds = [], []
        for begin in range(rows.start, count, _COLUMNS):
            columns = slice(begin, min(begin + _COLUMNS, count))
            bound_BE = few_ND[rows] @ few_ND[columns].T
            one, other = np.nonzero(bound_BE >= least - 1e-5)
            later = other + begin > one + rows.start
            one, other = one[later], other[later]
            found.append(np.stack([one + rows.start, other + begin], axis=1))
            bounds.append(bound_BE[one, other])
        pairs_P2, bound_P = np.concatenate(found), np.concatenate(bounds)
        order = np.lexsort((-bound_P, pairs_P2[:, 0]))
        pairs_P2 = pairs_P2[order]
        first_P = np.searchsorted(pairs_P2[:, 0], pairs_P2[:, 0])
        yield pairs_P2[np.arange(len(pairs_P2)) - first_P < _CANDIDATES]


def nearest(features: Standardised, sample: int = 1000) -> np.ndarray:
    """The cosine of images with the one that is nearest to each, float32.

    Args:
        features: Of at least two images.
        sample: So many images are asked, evenly spaced; among all.

    >>> from amlnn.formulas.standardised import standardise
    >>> features = standardise(np.array([[1, 0], [0, 1], [2, 0], [0, 3]], np.float32))
    >>> nearest(features).round(1).tolist() == nearest(features, 4).round(1).tolist()
    True
    """
    count = len(features)
    asked = np.unique(np.linspace(0, count - 1, min(sample, count)).astype(int))
    asked_BC = features.unit_rows(asked)
    best = np.full(len(asked), -np.inf, np.float32)
    for part in blocks(count):
        cosine_BE = asked_BC @ features.unit_rows(part).T
        own = np.flatnonzero((asked >= part.start) & (asked < part.stop))
        cosine_BE[own, asked[own] - part.start] = -np.inf
        best = np.maximum(best, cosine_BE.max(axis=1))
    return best


def linked(count: int, pairs_P2: np.ndarray) -> np.ndarray:
    """The group of each image, int [N]: images that a chain of pairs links are in one.

    Groups are numbered in the order of their first images.

    Args:
        count: N.
        pairs_P2: int [P, 2].

    >>> linked(5, np.array([[3, 1], [4, 3]])).tolist()
    [0, 1, 2, 1, 1]
    """
    leader_N = np.arange(count)
    one_P, other_P = np.asarray(pairs_P2, np.int64).reshape(-1, 2).T
    while True:
        lowest_N = leader_N.copy()
        least_P = np.minimum(leader_N[one_P], leader_N[other_P])
        # The leaders of both learn of the lower one, and whom they lead in the next round.
        for ends_P in (one_P, other_P, leader_N[one_P], leader_N[other_P]):
            np.minimum.at(lowest_N, ends_P, least_P)
        lowest_N = lowest_N[lowest_N]
        if (lowest_N == leader_N).all():
            return np.unique(leader_N, return_inverse=True)[1].astype(np.int64)
        leader_N = lowest_N


def own_class_distance(few_ND: np.ndarray, labels_N: np.ndarray, count: int = 10) -> np.ndarray:
    """How far each image is from its nearest of its own class, on average; float32 [N].

    Args:
        few_ND: Rows of length 1, such as `coordinates`.
        labels_N: int [N].
        count: Neighbours; of a class with fewer others, all of them. Alone in its class, an image
            has NaN.

    Source: distance 1 - cosine to nearest neighbours, as Y. Sun, Y. Ming, X. Zhu and Y. Li,
    Out-of-distribution detection with deep nearest neighbors, ICML 2022, and J. Kuan and J.
    Mueller, Back to the basics: revisiting out-of-distribution detection baselines, 2022 (mean
    over the neighbours).

    >>> rows = np.array([[1.0, 0.0], [0.5, 0.75], [0.0, 1.0], [1.0, 0.0]], np.float32)
    >>> own_class_distance(rows, np.array([0, 0, 0, 1]), count=1).tolist()
    [0.5, 0.25, 0.25, nan]
    """
    found_N = np.full(len(few_ND), np.nan, np.float32)
    for label in np.unique(labels_N):
        places = np.flatnonzero(labels_N == label)
        kept = min(count, len(places) - 1)
        if kept == 0:
            continue
        own_ED = few_ND[places]
        for part in blocks(len(places), max(1, _ROWS * _COLUMNS // len(places))):
            dots_BE = own_ED[part] @ own_ED.T
            dots_BE[np.arange(len(dots_BE)), np.arange(part.start, part.stop)] = -np.inf
            best_BE = np.partition(dots_BE, len(places) - kept, axis=1)[:, len(places) - kept:]
            found_N[places[part]] = 1 - best_BE.mean(axis=1)
    return found_N


def far_out(distance_N: np.ndarray, labels_N: np.ndarray, least: int = 10) -> np.ndarray:
    """Which images are far out in their class, bool [N].

    Args:
        distance_N: From `own_class_distance`.
        labels_N: int [N].
        least: Images that a class must have, for its spread to mean anything.

    Source: J. W. Tukey, Exploratory Data Analysis (1977): more than three times the distance of
    the quartiles above the upper one; of logarithms, since distances are skewed.

    >>> distances = np.array([1, 1.1, 1.2, 1.1, 1, 1.3, 1.2, 1, 1.1, 9])
    >>> np.flatnonzero(far_out(distances, np.zeros(10, int))).tolist()
    [9]
    """
    found_N = np.zeros(len(distance_N), bool)
    for label in np.unique(labels_N):
        places = np.flatnonzero(labels_N == label)
        if len(places) < least:
            continue
        log_E = np.log(np.maximum(distance_N[places], 1e-6))
        lower, upper = np.quantile(log_E, [0.25, 0.75])
        found_N[places] = log_E > upper + 3 * (upper - lower)
    return found_N
