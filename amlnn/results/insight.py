"""What `tools/test.py --explain` kept of a classifier, read and checked."""

# M images of the map, S mistakes, H height, W width, h and w of a feature map

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amlnn.errors import DataError
from amlnn.results.arrays import read_arrays

__all__ = ['FeatureMap', 'Insight', 'Looked', 'read_insight']

_HINT = 'write it again: python tools/test.py CONFIG CHECKPOINT --explain'
_MAP = ('map_id', 'map_label', 'map_predicted', 'map_pca', 'map_variance')
_SEEN = ('seen_id', 'seen_label', 'seen_predicted', 'seen_view', 'seen_for_predicted',
         'seen_for_label')


@dataclass(frozen=True)
class FeatureMap:
    """Features of some images in two dimensions."""

    method: str
    """'PCA' or 'UMAP'."""
    points: np.ndarray
    """[M, 2]."""
    labels: np.ndarray
    """[M] int64."""
    wrong: np.ndarray
    """[M] bool, whether it was taken for another class."""
    variance: tuple[float, ...] = ()
    """Of PCA: the shares of the features' variance along the two directions."""


@dataclass(frozen=True)
class Looked:
    """Where a network looked in one image that it took for another class."""

    id: str
    label: int
    predicted: int
    view: np.ndarray
    """[H, W, 3] uint8, what it was given."""
    for_predicted: np.ndarray
    """[h, w], 0 to 1: how much a place spoke for the class that was predicted."""
    for_label: np.ndarray
    """The same for the true class."""


@dataclass(frozen=True)
class Insight:
    """Maps, PCA's first, and mistakes, the surest first; none where there were none."""

    maps: list[FeatureMap]
    looked: list[Looked]


def read_insight(path: Path | str) -> Insight:
    """Read and check `insight_<split>.npz`.

    Raises:
        DataError: it is damaged, or does not hold what it should.

    >>> np.savez('insight_val.npz', map_id=['a.png', 'b.png'], map_label=[0, 1],
    ...          map_predicted=[0, 0], map_pca=np.zeros((2, 2)), map_variance=np.array([0.5, 0.2]))
    >>> found = read_insight('insight_val.npz')
    >>> found.maps[0].method, found.maps[0].wrong.tolist(), found.looked
    ('PCA', [False, True], [])
    """
    arrays = read_arrays(path, _MAP)
    if not _map_fits(arrays) or ('seen_id' in arrays and not _seen_fits(arrays)):
        raise DataError(f'`{path}` does not hold what a test explains', hint=_HINT)
    wrong = arrays['map_label'] != arrays['map_predicted']
    variance = tuple(float(each) for each in arrays['map_variance'])
    maps = [FeatureMap('PCA', arrays['map_pca'], arrays['map_label'], wrong, variance)]
    if 'map_umap' in arrays:
        maps.append(FeatureMap('UMAP', arrays['map_umap'], arrays['map_label'], wrong))
    looked = [] if 'seen_id' not in arrays else [
        Looked(str(name), int(label), int(predicted), *pictures)
        for name, label, predicted, *pictures in zip(*(arrays[key] for key in _SEEN), strict=True)]
    return Insight(maps, looked)


def _map_fits(arrays: dict[str, np.ndarray]) -> bool:
    count = arrays['map_id'].shape
    points = [arrays[name] for name in ('map_pca', 'map_umap') if name in arrays]
    return (len(count) == 1 and arrays['map_id'].dtype.kind == 'U' and all(
        arrays[name].shape == count and arrays[name].dtype.kind in 'iu'
        and bool((arrays[name] >= 0).all()) for name in ('map_label', 'map_predicted'))
        and arrays['map_variance'].shape == (2, ) and all(
            each.shape == (*count, 2) and each.dtype.kind == 'f' and bool(np.isfinite(each).all())
            for each in [*points, np.tile(arrays['map_variance'], (count[0], 1))]))


def _seen_fits(arrays: dict[str, np.ndarray]) -> bool:
    if not all(name in arrays for name in _SEEN):
        return False
    count, view = len(arrays['seen_id']), arrays['seen_view']
    cams = [arrays['seen_for_predicted'], arrays['seen_for_label']]
    return (arrays['seen_id'].ndim == 1 and arrays['seen_id'].dtype.kind == 'U' and all(
        arrays[name].shape == (count, ) and arrays[name].dtype.kind in 'iu'
        and bool((arrays[name] >= 0).all()) for name in ('seen_label', 'seen_predicted'))
        and view.ndim == 4 and view.shape[0] == count and view.shape[3] == 3
        and 0 not in view.shape and view.dtype == np.uint8
        and cams[0].shape == cams[1].shape and all(
            each.ndim == 3 and each.shape[0] == count and 0 not in each.shape
            and each.dtype.kind == 'f' and bool(np.isfinite(each).all()) for each in cams))
