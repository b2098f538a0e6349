"""How accuracy grows with the images of a class, and what more of them would bring.

Axes: P points, D draws, B bootstrap samples, T sizes that are asked of.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ['LearningCurve', 'fit_curve']

_POWERS = np.geomspace(0.05, 2.0, 150)


@dataclass(frozen=True)
class LearningCurve:
    """accuracy(n) = a - b n^-c, n images a class, with as many curves of bootstrap samples."""

    limit: float
    """a, what it tends to."""
    drop: float
    """b, at least 0."""
    power: float
    """c."""
    samples: np.ndarray
    """[B, 3]: a, b and c of every sample."""

    def at(self, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The curve and the 95 % band of the samples' curves, cut to 0 and 1: three arrays [T].

        >>> fit = fit_curve(np.array([1, 4, 16]), np.array([[0.5] * 2, [0.7] * 2, [0.8] * 2]))
        >>> value, low, high = fit.at(np.array([64]))
        >>> round(float(value[0]), 2), bool(low[0] <= value[0] <= high[0])
        (0.85, True)
        """
        sizes = np.asarray(sizes, np.float64)
        a, b, c = (self.samples[:, [place]] for place in range(3))
        curves_BT = np.clip(a - b * sizes ** -c, 0, 1)
        low, high = np.quantile(curves_BT, [0.025, 0.975], axis=0)
        value = np.clip(self.limit - self.drop * sizes ** -self.power, 0, 1)
        return value, np.minimum(low, value), np.maximum(high, value)


def fit_curve(sizes: np.ndarray, accuracies: np.ndarray, images: int | None = None,
              samples: int = 200, seed: int = 0) -> LearningCurve:
    """Fit a power law to accuracies by least squares of the means.

    Args:
        sizes: [P] images a class, at least two different ones.
        accuracies: [P, D] of every draw, 0 to 1; NaN for a draw that there is not.
        images: On how many each was measured, all on the same ones. They are a sample too, and the
            bootstrap lets every curve as a whole go up and down with it; None for no such noise.
        samples: Of the bootstrap: the draws of each point are drawn again.
        seed: Of the bootstrap.

    Source: C. Cortes, L. D. Jackel, S. A. Solla, V. Vapnik and J. S. Denker, Learning curves:
    asymptotic values and rate of convergence, NIPS 1993, equation 3.

    >>> sizes = np.array([1, 2, 5, 10, 20])
    >>> fit = fit_curve(sizes, (0.9 - 0.4 * sizes ** -0.5)[:, None])
    >>> round(fit.limit, 2), round(fit.drop, 2), round(fit.power, 1)
    (0.9, 0.4, 0.5)
    """
    random = np.random.default_rng(seed)
    means_BP = np.empty((samples + 1, len(sizes)))
    for place, row in enumerate(accuracies):
        known = row[~np.isnan(row)]
        means_BP[0, place] = known.mean()
        means_BP[1:, place] = random.choice(known, (samples, len(known))).mean(axis=1)
    if images:
        middle = np.clip(means_BP[0].max(), 1 / images, 1 - 1 / images)
        means_BP[1:] += random.normal(0, np.sqrt(middle * (1 - middle) / images), (samples, 1))
    found_B3 = _fits(np.asarray(sizes, np.float64), means_BP)
    limit, drop, power = map(float, found_B3[0])
    return LearningCurve(limit, drop, power, found_B3[1:])


def _fits(sizes: np.ndarray, means_BP: np.ndarray) -> np.ndarray:
    """a, b, c of every row [B, 3]: of each power the best line in n^-c, of these the best."""
    best_B = np.full(len(means_BP), np.inf)
    found_B3 = np.zeros((len(means_BP), 3))
    for power in _POWERS:
        x_P = sizes ** -power
        centred_P = x_P - x_P.mean()
        slope_B = np.minimum(means_BP @ centred_P / max(float(centred_P @ centred_P), 1e-30), 0)
        level_B = means_BP.mean(axis=1) - slope_B * x_P.mean()
        over_B = level_B > 1  # an accuracy tends to 1 at most: then the best line through that
        slope_B[over_B] = np.minimum((means_BP[over_B] - 1) @ x_P / float(x_P @ x_P), 0)
        level_B[over_B] = 1.0
        error_B = ((level_B[:, None] + slope_B[:, None] * x_P - means_BP) ** 2).sum(axis=1)
        better = error_B < best_B
        best_B[better] = error_B[better]
        found_B3[better] = np.stack([level_B, -slope_B, np.full_like(slope_B, power)], 1)[better]
    return found_B3
