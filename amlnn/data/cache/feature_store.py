"""What the frozen part of a network makes of every view of every image, kept on disk.

::

    <root>/<SHA-256 of the key>/key.json          trunk, pipeline, seed, size, versions, data
    <root>/<SHA-256 of the key>/view_00003.data   rows in order of the images, plain bytes
    <root>/<SHA-256 of the key>/view_00003.sums   8 bytes a row, see `amlnn.data.cache.slot_file`

The number of views is not part of the key: a run with four views finds the first four of a run with
thirty. A view takes its disk space, for all rows, when its first row is written.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from amlnn.data.cache.cache_folder import CacheFolder, log_warning, readable_size
from amlnn.data.cache.slot_file import SlotFile

__all__ = ['FeatureStore']

# n rows asked for, E elements of a row, C channels, H height, W width


class FeatureStore:
    """One row of fixed shape for every (view, image); made or found again by `open`.

    Rows are served only if their checksum is right. Nothing the disk does raises: what is damaged
    or lost is missing, and where nothing can be written `reason` says why.

    >>> import tempfile
    >>> with FeatureStore.open(tempfile.mkdtemp(), {'trunk': 'a hash'}, (3,), torch.bfloat16,
    ...                        ids=['a.jpg', 'b.jpg'], views=2) as store:
    ...     _ = store.write(0, [1], torch.tensor([[1., 2., 3.]]).bfloat16())
    ...     features, missing = store.read(0, [1, 0])
    >>> features[0], missing
    (tensor([1., 2., 3.], dtype=torch.bfloat16), array([1]))
    """

    def __init__(self, folder: CacheFolder, shape: Sequence[int], dtype: torch.dtype, rows: int,
                 views: int):
        self.folder = folder
        self.shape = tuple(int(size) for size in shape)
        self.dtype = dtype
        self.rows = rows
        self.views = views
        self.row_bytes = math.prod(self.shape) * dtype.itemsize
        self.kept_views = views
        """Views from 0 on that the limit has room for."""
        self._starts = np.arange(rows + 1, dtype=np.int64) * self.row_bytes
        self._files: dict[int, SlotFile] = {}

    @classmethod
    def open(cls, root: Path | str, key: dict, shape: Sequence[int], dtype: torch.dtype,
             ids: Sequence[str], views: int, limit_bytes: int | None = None,
             warn: Callable[[str], None] = log_warning) -> 'FeatureStore':
        """Make a store, or find it again.

        Args:
            root: Folder of all caches; `amlnn.data.cache.cache_folder.cache_root()`.
            key: All that a row depends on apart from its view and image: hash of the trunk's
                weights, pipeline, seed of the views, versions, content of the images. JSON values.
            shape: Of a row, without the batch axis: (2048,) or (1024, 14, 14).
            dtype: Of a row.
            ids: Names of the images; row i is of image i.
            views: How many views the caller will ask for, counted from 0.
            limit_bytes: Of all caches under `root` together; None is a quarter of the free disk.
                Caches that nobody uses are deleted to stay below it, the longest unused first.
                Where it is too small for all views, the first ones are kept.
            warn: Gets a line for everything that keeps the store from doing its work.

        Raises:
            ValueError: a row or the store would be empty.
        """
        if not ids or views < 1 or math.prod(shape) < 1:
            raise ValueError(f'a store of {views} views of {len(ids)} rows of shape {shape}')
        names = hashlib.sha256('\0'.join(ids).encode()).hexdigest()
        identity = {'kind': 'features', 'key': key, 'shape': list(shape), 'dtype': str(dtype),
                    'rows': len(ids), 'ids': names}
        store = cls(CacheFolder(root, identity, limit_bytes, warn), shape, dtype, len(ids), views)
        store._fit()
        return store

    def __enter__(self) -> 'FeatureStore':
        return self

    def __exit__(self, *error) -> None:
        self.close()

    @property
    def reason(self) -> str:
        """Why nothing is written any more; '' while it is."""
        return self.folder.reason

    @property
    def view_bytes(self) -> int:
        """Disk space of one view."""
        return self.rows * (self.row_bytes + 8)

    def writable(self, view: int) -> bool:
        """Whether a row of this view would be kept, as far as is known."""
        return view < self.kept_views and self._file(view).writable

    def missing(self, view: int) -> np.ndarray:
        """Indices of the images without a row, as far as is known without reading: int64 [m]."""
        return np.flatnonzero(~self._file(view).present())

    def read(self, view: int, indices: Sequence[int] | np.ndarray | Tensor
             ) -> tuple[Tensor, np.ndarray]:
        """Read and verify rows. Neighbouring indices in order are read at once.

        Args:
            view: Number of the view.
            indices: Of the images, in any order [n].

        Returns:
            Features [n, *shape] on the CPU, (C, H, W) in channels-last layout; and the positions in
            `indices` of the rows that must be computed, int64 [m]. Those rows are NaN, or zero in
            an integer store.
        """
        numbers = self._numbers(indices)
        rows_nE = torch.empty((len(numbers), math.prod(self.shape)), dtype=self.dtype)
        right = self._file(view).read(numbers, _bytes(rows_nE).reshape(-1))
        missing = np.flatnonzero(~right)
        if len(missing):
            rows_nE[missing] = math.nan if self.dtype.is_floating_point else 0
        return self._shaped(rows_nE), missing

    def write(self, view: int, indices: Sequence[int] | np.ndarray | Tensor,
              features: Tensor) -> int:
        """Keep rows, over what there may be.

        Args:
            view: Number of the view.
            indices: Of the images [n].
            features: Rows on any device [n, *shape], of the store's dtype.

        Returns:
            How many were kept: fewer than n where there is no room or the disk cannot be written.

        Raises:
            ValueError: shape or dtype are not the store's.
        """
        numbers = self._numbers(indices)
        if features.shape != (len(numbers), *self.shape) or features.dtype != self.dtype:
            raise ValueError(f'{tuple(features.shape)} {features.dtype} is not '
                             f'{(len(numbers), *self.shape)} {self.dtype}')
        if not self.writable(view):
            return 0
        file = self._file(view)
        pieces = _bytes(self._flat(features.detach().cpu()))
        for done, (number, piece) in enumerate(zip(numbers, pieces, strict=True)):
            if not file.write(int(number), piece):
                return done
        return len(numbers)

    def close(self) -> None:
        """Close the files and let others delete the store when they need room."""
        for file in self._files.values():
            file.close()
        self._files.clear()
        self.folder.close()

    def _fit(self) -> None:
        limit = self.folder.limit_bytes
        self.kept_views = min(self.views, limit // self.view_bytes)
        if self.kept_views < self.views and not self.reason:
            kept = f'only the first {self.kept_views} are kept' if self.kept_views else \
                'none is kept'
            self.folder.warn(f'cache `{self.folder.path}`: {self.views} views of '
                             f'{readable_size(self.view_bytes)} each are more than the limit of '
                             f'{readable_size(limit)}: {kept}')

    def _check(self, view: int) -> int:
        if not 0 <= view < self.views:
            raise IndexError(f'view {view} of {self.views}')
        return view

    def _file(self, view: int) -> SlotFile:
        if view not in self._files:
            self._files[view] = SlotFile(self.folder, f'view_{self._check(view):05}', self._starts)
        return self._files[view]

    def _numbers(self, indices) -> np.ndarray:
        numbers = np.asarray(indices, dtype=np.int64).reshape(-1)
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < self.rows:
            raise IndexError(f'images {numbers.min()} to {numbers.max()} of {self.rows}')
        return numbers

    # Rows of three axes lie on disk as (H, W, C): trunk and tail run channels-last, so that neither
    # writing nor reading moves an element.

    def _flat(self, features: Tensor) -> Tensor:
        if len(self.shape) == 3:
            features = features.permute(0, 2, 3, 1)
        return features.reshape(-1, math.prod(self.shape)).contiguous()

    def _shaped(self, rows_nE: Tensor) -> Tensor:
        if len(self.shape) != 3:
            return rows_nE.reshape(-1, *self.shape)
        channels, height, width = self.shape
        return rows_nE.reshape(-1, height, width, channels).permute(0, 3, 1, 2)


def _bytes(rows_nE: Tensor) -> np.ndarray:
    """The same memory as uint8 [n, bytes of a row]; numpy has no bfloat16."""
    return rows_nE.view(torch.uint8).numpy()
