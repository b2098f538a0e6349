"""What all simple forecasts share: they are fitted, and missing inputs are filled.

Axes: S series, T training rows, N windows, L look-back, P horizon, C target columns, K known
columns, F columns of the input, the targets first and the known ones last.
"""

from collections.abc import Mapping

import numpy as np

from amlnn.errors import DataError
from amlnn.formulas.gaps import fill_forward
from amlnn.formulas.training_rows import TrainingRows

__all__ = ['Baseline']


class Baseline:
    """A forecast that takes `fit`, then `predict`, in whatever units the values have.

    Missing inputs are filled; columns beside the targets are left aside, but by `Ridge`.
    """

    look_back: int | None = None
    """Rows of input that it is meant for; None for as many as the model has."""

    def prepare(self, columns: int, look_back: int, horizon: int, season: int | None) -> 'Baseline':
        """Take sizes, before it learns or what was learnt is given back to it.

        Args:
            columns: C, target columns.
            look_back: Rows of input that `predict` will get.
            horizon: Rows that it will forecast.
            season: Rows of the main cycle, None where there is none.

        Returns:
            The baseline itself.

        Raises:
            DataError: the baseline needs a season, and there is none or too long a one.
        """
        self.columns, self.rows, self.horizon = columns, look_back, horizon
        return self

    def fit(self, training: TrainingRows, look_back: int, horizon: int, season: int | None,
            validation: TrainingRows | None = None) -> 'Baseline':
        """Learn from the training rows.

        Args:
            training: Of one or many series.
            look_back: As of `prepare`, as `horizon` and `season` are.
            validation: The rows that follow, of the same series, to choose by; None to choose
                without them.

        Returns:
            The baseline itself.

        Raises:
            DataError: the baseline needs what the series does not have: a season, or more rows.
        """
        self.prepare(training.values.shape[1], look_back, horizon, season)
        self._fit(training, validation)
        return self

    def shapes(self, series: int, known: int) -> dict[str, tuple[int, ...]]:
        """Of what it learns from so many series, by name; once it is prepared."""
        return {'means': (series + 1, self.columns)}

    def learnt(self) -> dict[str, np.ndarray]:
        """What `fit` found, float64, of the shapes of `shapes`."""
        return {'means': self.means}

    def take(self, learnt: Mapping[str, np.ndarray]) -> None:
        """Be as one that found this; once it is prepared."""
        self.means = learnt['means']

    def predict(self, inputs: np.ndarray, observed: np.ndarray | None = None,
                known: np.ndarray | None = None, series: np.ndarray | None = None) -> np.ndarray:
        """Forecast.

        Args:
            inputs: [N, L, F], the C target columns first, the K known ones last.
            observed: [N, L, F] bool; a missing input is given the last value before it.
            known: [N, P, K], the known columns of the rows to forecast; read by `Ridge`.
            series: [N] int, which of the training series each window is of, -1 for none of them;
                may be left out where there is one.

        Returns:
            [N, P, C] float64.
        """
        return self._predict(self._filled(inputs, observed, series))

    def _fit(self, training: TrainingRows, validation: TrainingRows | None) -> None:
        # [S + 1, C], by series, the last one for unseen series: what fills an empty look-back.
        self.means = training.column_means()

    def _predict(self, inputs_NLC: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _filled(self, inputs: np.ndarray, observed: np.ndarray | None,
                series: np.ndarray | None) -> np.ndarray:
        """The target columns, [N, L, C] float64; filled where missing, and where a column has no
        value at all in the look-back, with its series' mean."""
        inputs_NLC = np.asarray(inputs[..., :self.columns], dtype=np.float64)
        if observed is None:
            return inputs_NLC
        seen_NLC = np.asarray(observed)[..., :self.columns] & ~np.isnan(inputs_NLC)
        mean_N1C = self.means[self._places(series, len(inputs))][:, None]
        return fill_forward(inputs_NLC, seen_NLC, mean_N1C)

    def _places(self, series: np.ndarray | None, windows: int) -> np.ndarray:
        """[N]: rows of `means`."""
        if series is not None:
            return np.asarray(series)
        if len(self.means) > 2:
            raise ValueError('`series` is left out, and there are several')
        return np.zeros(windows, dtype=np.int64)

    def _ahead(self, value_NC: np.ndarray) -> np.ndarray:
        """[N, P, C]: the same value at every step."""
        return np.repeat(value_NC[:, None], self.horizon, axis=1)

    def _cycle(self, cycle_NSC: np.ndarray) -> np.ndarray:
        """[N, P, C]: a cycle of S rows again and again."""
        return cycle_NSC[:, np.arange(self.horizon) % cycle_NSC.shape[1]]

    def _need_season(self, season: int | None) -> int:
        name = type(self).__name__
        if season is None:
            raise DataError(f'{name} needs a season, and the series has none known',
                            hint='season=24 of the data set, for days of hours')
        if season > self.rows:
            raise DataError(f'{name} needs a season of {season} rows, the look-back has '
                            f'{self.rows}', hint=f'look_back={season} or more')
        return season
