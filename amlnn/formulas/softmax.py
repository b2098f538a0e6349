"""Scores of classes as probabilities."""

import numpy as np

__all__ = ['softmax']

# N images, K classes


def softmax(scores_NK: np.ndarray) -> np.ndarray:
    """Probabilities [N, K].

    >>> softmax(np.array([[0., np.log(3)]])).round(2).tolist()
    [[0.25, 0.75]]
    """
    powers_NK = np.exp(scores_NK - scores_NK.max(axis=1, keepdims=True))
    shares_NK: np.ndarray = powers_NK / powers_NK.sum(axis=1, keepdims=True)
    return shares_NK
