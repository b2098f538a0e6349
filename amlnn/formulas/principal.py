"""The directions in which points differ most.

Axes: N points, D numbers of each, K directions.
"""

import numpy as np

__all__ = ['principal_components']


def principal_components(points: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along the directions of most variance, [N, K], and the shares of it, [K].

    A direction points to where its largest number, by amount, is positive.

    Args:
        points: [N, D].
        count: K; what D or N do not give is 0.

    Source: K. Pearson, On lines and planes of closest fit to systems of points in space,
    Philosophical Magazine 2 (1901) 559-572.

    >>> coordinates, shares = principal_components(np.array([[0., 0.], [3., 4.], [6., 8.]]), 2)
    >>> coordinates.round(6).tolist(), shares.round(6).tolist()
    ([[-5.0, 0.0], [0.0, 0.0], [5.0, 0.0]], [1.0, 0.0])
    """
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    values, vectors = values[::-1].clip(0), vectors[:, ::-1][:, :count]
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), range(vectors.shape[1])])
    total = values.sum() or 1.0
    coordinates = np.zeros((len(points), count))
    shares = np.zeros(count)
    kept = min(count, len(values))
    # What is rounding alone is nothing, or its sign would be chance.
    real = values[:kept] > 1e-12 * total
    coordinates[:, :kept] = np.where(real, centred @ vectors, 0.0)
    shares[:kept] = np.where(real, values[:kept] / total, 0.0)
    return coordinates, shares
