"""Errors of forecasts of many series, summed up batch by batch.

Axes: S series, N windows, P steps ahead, C columns.
"""

import numpy as np

__all__ = ['PanelSums']


class PanelSums:
    """Sums of errors, of all windows and of each series.

    Args:
        series: S.

    >>> errors = PanelSums(2)
    >>> target, forecast = np.zeros((3, 1, 1)), np.array([1.0, 3.0, 2.0]).reshape(3, 1, 1)
    >>> errors.add(forecast, target, None, np.array([0, 0, 1]), np.full((3, 1), 10.0),
    ...            np.array([[1.0], [1.0], [5.0]]))
    >>> errors.row()['forecast/mae'], errors.row()['forecast/mae_original']
    (2.0, 4.666666666666667)
    >>> errors.row()['forecast/series_mae'], errors.by_series()[1]['mae']
    (2.0, 10.0)
    """

    def __init__(self, series: int):
        # Squared, absolute in scaled units; both in those of the data; |target|; values.
        self._sums = np.zeros((6, series))
        self._windows = np.zeros(series, dtype=np.int64)

    def add(self, forecast: np.ndarray, target: np.ndarray, observed: np.ndarray | None,
            series: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> None:
        """Add windows.

        Args:
            forecast: [N, P, C], scaled.
            target: [N, P, C], scaled.
            observed: [N, P, C] bool, False where the target is missing.
            series: [N] int, the place of each window's series.
            mean: [N, C], of each window's series.
            deviation: [N, C], likewise.
        """
        counted = np.ones(target.shape, dtype=bool) if observed is None else observed
        error = np.where(counted, forecast.astype(np.float64) - target, 0.0)
        own = error * deviation[:, None]
        size = np.where(counted, np.abs(target * deviation[:, None] + mean[:, None]), 0.0)
        for place, each in enumerate((error ** 2, np.abs(error), own ** 2, np.abs(own), size,
                                      counted)):
            self._sums[place] += np.bincount(series, each.sum(axis=(1, 2)), self._sums.shape[1])
        self._windows += np.bincount(series, minlength=len(self._windows))

    def row(self) -> dict[str, float]:
        """Of all windows.

        Returns:
            'forecast/mse', 'forecast/mae' in scaled units, both with '_original' in those of the
            data; 'forecast/wape', absolute errors by absolute targets, in which large series weigh
            more; 'forecast/series_mae', the scaled mean absolute error of each series, averaged, in
            which all weigh the same; 'windows'.
        """
        squared, absolute, squared_own, absolute_own, size, count = self._sums.sum(axis=1)
        count = max(count, 1)
        each = self.means()[0]
        each = each[~np.isnan(each)]
        return {'forecast/mse': float(squared / count), 'forecast/mae': float(absolute / count),
                'forecast/mse_original': float(squared_own / count),
                'forecast/mae_original': float(absolute_own / count),
                'forecast/wape': float(absolute_own / size) if size else 0.0,
                'forecast/series_mae': float(each.mean()) if len(each) else 0.0,
                'windows': int(self._windows.sum())}

    def means(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """[S] each, NaN of a series without a value: scaled mean absolute error; mean absolute and
        mean squared one in the units of the data."""
        count = np.where(self._sums[5] > 0, self._sums[5], np.nan)
        return self._sums[1] / count, self._sums[3] / count, self._sums[2] / count

    @property
    def windows(self) -> np.ndarray:
        """[S] int64, the windows of each series."""
        return self._windows

    @property
    def totals(self) -> tuple[float, float]:
        """Absolute errors and absolute targets in the units of the data, summed up over all."""
        return float(self._sums[3].sum()), float(self._sums[4].sum())

    def by_series(self) -> list[dict[str, float]]:
        """Of each series 'mse' and 'mae' in the units of the data, 0 without a value, 'windows'."""
        _, mae, mse = map(np.nan_to_num, self.means())
        return [{'mse': mse, 'mae': mae, 'windows': windows} for mse, mae, windows in zip(
            mse.tolist(), mae.tolist(), self._windows.tolist(), strict=True)]
