"""How sure a classifier is of what is true."""

import numpy as np

__all__ = ['LEAST', 'log_loss']

# N images, K classes

LEAST = float(np.finfo(np.float32).eps)
"""What a probability of 0 counts as under a logarithm: float32 tells no smaller ones from 0."""


def log_loss(probs_NK: np.ndarray, labels_N: np.ndarray) -> float:
    """Mean over images of -ln of the probability of the right class, in nats; 0 counts as LEAST.

    Args:
        probs_NK: [N, K].
        labels_N: [N] int.

    >>> round(log_loss(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 1])), 4)
    0.4904
    """
    of_label = np.asarray(probs_NK[np.arange(len(labels_N)), labels_N], np.float64)
    return float(-np.log(of_label.clip(LEAST, 1)).mean())
