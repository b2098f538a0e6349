"""Intervals for accuracies and for differences of accuracies.

All are 95 % intervals over the sampling of images: another test set of the same size and kind would
give another accuracy. p is an accuracy as a fraction, n the number of images.
"""

import math

import numpy as np

__all__ = ['newcombe', 'paired', 'paired_bootstrap', 'wilson']

_Z = 1.959963984540054  # the 97.5 % point of the normal distribution


def wilson(p: float, n: int) -> tuple[float, float]:
    """Return the score interval of one accuracy.

    Args:
        p: Fraction right, 0 to 1.
        n: Images, at least 1.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    JASA 22 (1927): (p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n).

    >>> [round(limit, 4) for limit in wilson(0.9, 100)]
    [0.8256, 0.9448]
    """
    centre = p + _Z ** 2 / (2 * n)
    half = _Z * math.sqrt(p * (1 - p) / n + _Z ** 2 / (4 * n ** 2))
    scale = 1 + _Z ** 2 / n
    return max((centre - half) / scale, 0.0), min((centre + half) / scale, 1.0)


def newcombe(p: float, n: int, p0: float, n0: int) -> tuple[float, float]:
    """Return the interval of p - p0 measured on different images.

    Also valid, and wider than need be, for the same images.

    Source: R. G. Newcombe, Interval estimation for the difference between independent proportions,
    Statistics in Medicine 17 (1998) 873-890, method 10: with the Wilson limits (l, u) and (l0, u0),
    d - sqrt((p-l)² + (u0-p0)²) to d + sqrt((u-p)² + (p0-l0)²).

    >>> [round(limit, 4) for limit in newcombe(56 / 70, 70, 48 / 80, 80)]  # the paper's example (a)
    [0.0524, 0.3339]
    """
    low, high = wilson(p, n)
    low0, high0 = wilson(p0, n0)
    difference = p - p0
    return (difference - math.hypot(p - low, high0 - p0),
            difference + math.hypot(high - p, p0 - low0))


def paired(correct: np.ndarray, correct0: np.ndarray) -> tuple[float, float]:
    """Return the interval of the difference of two accuracies measured on the same images.

    Only images on which the two disagree count, as in McNemar's test, so the interval is much
    narrower than that of independent samples.

    Args:
        correct: [N] bool, whether each image was classified rightly.
        correct0: [N] bool, the same for the baseline, in the same order.

    Source: A. Agresti and Y. Min, Simple improved confidence intervals for comparing matched
    proportions, Statistics in Medicine 24 (2005) 729-740: Wald's interval after adding 1/2 to each
    of the four cells. With b images only the first has right, c only the baseline, m = n + 2:
    d = (b - c) / m ± z·sqrt(b + c + 1 - (b - c)² / m) / m.

    >>> images = np.arange(100)  # 9 only the first has right, 4 only the baseline
    >>> [round(limit, 4) for limit in paired(images < 89, (images >= 9) & (images < 93))]
    [-0.0222, 0.1203]
    """
    only, only0 = int((correct & ~correct0).sum()), int((~correct & correct0).sum())
    m = len(correct) + 2
    centre = (only - only0) / m
    half = _Z * math.sqrt(only + only0 + 1 - (only - only0) ** 2 / m) / m
    return max(centre - half, -1.0), min(centre + half, 1.0)


def paired_bootstrap(correct_SN: np.ndarray, correct0_TN: np.ndarray, draws: int = 2000,
                     seed: int = 0) -> tuple[float, float]:
    """Return the interval of the difference of two mean accuracies over seeds, on the same images.

    Images and seeds are drawn again together, so that the interval holds both kinds of chance. With
    two or three seeds it is somewhat too narrow: so few say little about their spread.

    Args:
        correct_SN: [S, N] bool, seed by image.
        correct0_TN: [T, N] bool, the same for the baseline.
        draws: Bootstrap samples.
        seed: Of the bootstrap; the interval is the same at every call.

    Source: A. B. Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1 (2007) 386-411;
    percentile interval, 2.5 % to 97.5 %.

    >>> seeds = np.arange(100) < np.array([[80], [84]])
    >>> low, high = paired_bootstrap(seeds, seeds)
    >>> low < 0 < high
    True
    """
    generator = np.random.default_rng(seed)
    images = correct_SN.shape[1]
    differences = []
    for start in range(0, draws, 100):  # in pieces: 2,000 x 10,000 weights are 160 MB
        size = min(100, draws - start)
        weights_BN = generator.multinomial(images, np.full(images, 1 / images), size)
        means = []
        for correct in (correct_SN, correct0_TN):
            seeds = len(correct)
            weights_BS = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size) / seeds
            accuracy_BS = weights_BN @ correct.T.astype(np.float64) / images
            means.append((weights_BS * accuracy_BS).sum(axis=1))
        differences.append(means[0] - means[1])
    low, high = np.quantile(np.concatenate(differences), [0.025, 0.975])
    return float(low), float(high)
