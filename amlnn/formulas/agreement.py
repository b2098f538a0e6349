"""How far classifiers err together: what a vote of them can and cannot mend.

Axes: M members, N images.
"""

import numpy as np

__all__ = ['all_wrong', 'both_wrong', 'error_correlation']


def both_wrong(correct_MN: np.ndarray) -> np.ndarray:
    """Share of the images on which two members both err, float64 [M, M].

    On the diagonal stands each member's own share of errors.

    Args:
        correct_MN: [M, N] bool.

    Source: the double-fault measure of G. Giacinto and F. Roli, Design of effective neural network
    ensembles for image classification purposes, Image and Vision Computing 19 (2001) 699-707.

    >>> both_wrong(np.array([[True, False, False, True], [True, False, True, True]])).tolist()
    [[0.5, 0.25], [0.25, 0.25]]
    """
    wrong = (~correct_MN).astype(np.float64)
    return np.asarray(wrong @ wrong.T / correct_MN.shape[1])


def error_correlation(correct_MN: np.ndarray) -> np.ndarray:
    """Correlation of the errors of each two members, float64 [M, M], -1 to 1.

    0 where one errs as often whether the other does or not, 1 where both err on the same images.
    NaN where a member errs never or always.

    Args:
        correct_MN: [M, N] bool.

    Source: L. I. Kuncheva and C. J. Whitaker, Measures of diversity in classifier ensembles and
    their relationship with the ensemble accuracy, Machine Learning 51 (2003) 181-207: "rho".

    >>> first, second = [False, False, True, True], [False, True, False, True]
    >>> error_correlation(np.array([first, first, second])).tolist()[0]
    [1.0, 1.0, 0.0]
    """
    both = both_wrong(correct_MN)
    share = both.diagonal()
    spread = share * (1 - share)
    with np.errstate(invalid='ignore'):
        return np.asarray((both - np.outer(share, share)) / np.sqrt(np.outer(spread, spread)))


def all_wrong(correct_MN: np.ndarray) -> int:
    """Number of images on which every member errs: no choice among their answers is right there.

    Args:
        correct_MN: [M, N] bool.

    >>> all_wrong(np.array([[True, False, False], [True, False, True]]))
    1
    """
    return int((~correct_MN.any(axis=0)).sum())
