"""Linear regression of a window's future on its past, and on what is known of the future.

Axes: S series, T training rows, N windows, B windows of a block, L look-back, P horizon,
W = L + P, C target columns, K known columns, D = C + K.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from mmengine.registry import MODELS
from numpy.lib.stride_tricks import sliding_window_view

from amlnn.errors import DataError
from amlnn.formulas.gaps import fill_forward
from amlnn.formulas.training_rows import TrainingRows
from amlnn.models.series.baseline import Baseline

__all__ = ['Ridge']

_ROUNDS = 3  # in which effect and weights take turns
_CLOSE = 1e-4  # of the largest effect: a round that moves none further is the last
_FEW = 0.25  # of all windows
_LARGEST = 2 ** 26  # numbers of products that are kept step by step: half a GB
_MOST = 2 ** 18  # windows of a round: they settle a few numbers
_MOST_POOLED = 2 ** 20  # windows of several series: more of them would not move the weights


@MODELS.register_module()
class Ridge(Baseline):
    """Linear regression of all steps on the look-back, after its last value is taken away.

    One matrix [L, P] for all columns and series, in closed form; of several series, a million
    evenly spaced windows count at most. The normal equations are summed up block by block, so that
    neither time nor memory grows with the number of windows at once; the
    penalty is the one of `alphas` with the least squared error on the validation rows, or, without
    any, on the last fifth of each series' training rows, and is then used on all of them.

    Columns that are known of the future add an effect, linear and the same in all rows: what is
    left without it is what the regression forecasts. Effect and weights are found in turns, each by
    least squares while the other stands, beginning with the weights. A column that stands still
    in every series cancels, and has no effect.

    Args:
        alphas: Penalties to choose from, in units of the inputs' sum of squares, meant over the
            rows of the look-back: the same whatever the scale and the number of windows.

    Raises:
        DataError: no window fits into the training rows; the known columns of the future are
            missing.

    Source: the idea of NLinear, A. Zeng, M. Chen, L. Zhang and Q. Xu, Are transformers effective
    for time series forecasting?, AAAI 2023, arXiv:2205.13504; the closed form, W. Toner and L.
    Darlow, An analysis of linear time series forecasting models, ICML 2024, arXiv:2403.14587; the
    turns, D. Cochrane and G. H. Orcutt, Application of least squares regression to relationships
    containing auto-correlated error terms, Journal of the American Statistical Association 44
    (1949) 32-61.
    """

    look_back = 336

    def __init__(self, alphas: Sequence[float] = (1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)):
        self.alphas = alphas

    def shapes(self, series: int, known: int) -> dict[str, tuple[int, ...]]:
        """See `Baseline.shapes`."""
        return super().shapes(series, known) | {
            'weights': (self.rows, self.horizon), 'alpha': (),
            **({'effect': (known, self.columns)} if known else {})}

    def learnt(self) -> dict[str, np.ndarray]:
        """See `Baseline.learnt`."""
        return super().learnt() | {
            'weights': self.weights, 'alpha': np.asarray(self.alpha),
            **({} if self.effect is None else {'effect': self.effect})}

    def take(self, learnt: Mapping[str, np.ndarray]) -> None:
        """See `Baseline.take`."""
        super().take(learnt)
        self.weights, self.alpha = learnt['weights'], float(learnt['alpha'])
        self.effect = learnt.get('effect')

    def predict(self, inputs: np.ndarray, observed: np.ndarray | None = None,
                known: np.ndarray | None = None, series: np.ndarray | None = None) -> np.ndarray:
        """Forecast; see `Baseline.predict`."""
        if self.effect is None:
            return super().predict(inputs, observed, known, series)
        known_NPK = self._checked(known, len(inputs))
        past_NLK = np.asarray(inputs[..., -known_NPK.shape[2]:], dtype=np.float64)
        if observed is not None:
            seen_NLK = observed[..., -known_NPK.shape[2]:] & ~np.isnan(past_NLK)
            past_NLK = fill_forward(past_NLK, seen_NLK)
        rest_NLC = inputs[..., :self.columns] - past_NLK @ self.effect
        return self._predict(self._filled(rest_NLC, observed, series)) + known_NPK @ self.effect

    def _checked(self, known: np.ndarray | None, windows: int) -> np.ndarray:
        expected = (windows, self.horizon, len(self.effect))
        if np.shape(known) != expected:
            raise DataError(f'Ridge got known columns of shape {np.shape(known)}, not {expected}',
                            hint='give the future rows of all known columns')
        return np.asarray(known, dtype=np.float64)

    def _fit(self, training: TrainingRows, validation: TrainingRows | None) -> None:
        self._validation = validation
        length = self.rows + self.horizon
        if not len(training.window_starts(length)):
            raise DataError(f'Ridge: {training.lengths.max()} training rows hold no window of '
                            f'{self.rows} + {self.horizon}', hint='shorten look_back or horizon')
        self.effect = None
        """[K, C]: what one unit of a known column adds to a target column."""
        if training.known is not None:
            self._take_turns(training)
        self._learn(training, None if len(training.lengths) == 1 else _MOST_POOLED)
        super()._fit(_without(training, self.effect), validation)
        del self._validation

    def _take_turns(self, training: TrainingRows) -> None:
        for _ in range(_ROUNDS):
            self._learn(training, _MOST)
            before = self.effect
            self.effect = _effect(training, self.weights, _MOST)
            if before is not None and np.abs(self.effect - before).max() \
                    <= _CLOSE * np.abs(self.effect).max():
                return

    def _learn(self, training: TrainingRows, most: int | None = None) -> None:
        """Weights and penalty, given the effect; on so many windows at most."""
        rows = _without(training, self.effect)
        moments = _StepMoments if _gaps_are_everywhere(rows, self.rows, self.horizon) else _Moments
        whole = moments(self.rows, self.horizon, most)
        whole.add(rows)
        if self._validation is not None:
            chosen = whole
            unseen = rows.last(self.rows).followed_by(_without(self._validation, self.effect))
        else:
            length_S = rows.lengths
            cut_S = (length_S - np.maximum(length_S // 5, self.horizon)).clip(
                min=self.rows + self.horizon)
            cut_S = np.minimum(cut_S, length_S)
            chosen = moments(self.rows, self.horizon, most)
            chosen.add(rows.part(np.zeros_like(cut_S), cut_S))
            unseen = rows.part((cut_S - self.rows).clip(min=0), length_S)
        held = moments(self.rows, self.horizon, most)
        held.add(unseen)
        self.alpha = self._choose(chosen, held)
        self.weights = whole.solve([self.alpha])[0]

    def _choose(self, chosen: '_Moments', held: '_Moments') -> float:
        if not held.count:  # no window was left to choose by
            return sorted(self.alphas)[len(self.alphas) // 2]
        errors = [held.error(weights) for weights in chosen.solve(self.alphas)]
        return self.alphas[int(np.argmin(errors))]

    def _predict(self, inputs_NLC: np.ndarray) -> np.ndarray:
        last_N1C = inputs_NLC[:, -1:]
        forecast_NCP = (inputs_NLC - last_N1C).swapaxes(1, 2) @ self.weights
        return forecast_NCP.swapaxes(1, 2) + last_N1C


class _Moments:
    """Sums of products of windows less their last input: all that least squares needs."""

    block = 2048  # windows that are copied at once

    def __init__(self, look_back: int, horizon: int, most: int | None = None):
        self.look_back = look_back
        self.length = look_back + horizon
        self.most = most
        self.count = 0
        self.products_LW = np.zeros((look_back, self.length))
        self.target_squares = 0.0

    def add(self, rows: TrainingRows) -> None:
        """Add all windows of all series; a gap is filled, and windows with a gap ahead left out."""
        starts_N = rows.window_starts(self.length, self.most)
        if not len(starts_N):
            return
        for column_T in rows.values.T:
            missing_T = np.isnan(column_T)
            if missing_T.all():
                continue
            filled_T = column_T[rows.fill_places(~missing_T)] if missing_T.any() \
                else np.ascontiguousarray(column_T)
            windows_NW = sliding_window_view(filled_T, self.length)
            ahead_N = sliding_window_view(missing_T, self.length)[:, self.look_back:]
            for first in range(0, len(starts_N), self.block):
                starts_B = starts_N[first:first + self.block]
                block_BW = windows_NW[starts_B]
                if missing_T.any():
                    block_BW = block_BW[~ahead_N[starts_B].any(axis=1)]
                block_BW = block_BW - block_BW[:, self.look_back - 1, None]
                self.products_LW += block_BW[:, :self.look_back].T @ block_BW
                self.target_squares += np.square(block_BW[:, self.look_back:]).sum()
                self.count += len(block_BW)

    def solve(self, alphas: Sequence[float]) -> list[np.ndarray]:
        """[L, P] weights for each penalty."""
        products_LL = self.products_LW[:, :self.look_back]
        size = np.trace(products_LL) / self.look_back or 1.0
        values_L, vectors_LL = np.linalg.eigh(products_LL)
        turned_LP = vectors_LL.T @ self.products_LW[:, self.look_back:]
        return [vectors_LL @ (turned_LP / (values_L.clip(min=0) + alpha * size)[:, None])
                for alpha in alphas]

    def error(self, weights_LP: np.ndarray) -> float:
        """Sum of squared errors of these weights, without a forecast being made."""
        products_LL = self.products_LW[:, :self.look_back]
        targets_LP = self.products_LW[:, self.look_back:]
        return float(self.target_squares
                     + (weights_LP * (products_LL @ weights_LP - 2 * targets_LP)).sum())


class _StepMoments(_Moments):
    """The same, step by step ahead: a window counts for those of its steps that were observed.

    Each step has products of its own, so not more than some thousand windows are taken.
    """

    taken = 8192

    def __init__(self, look_back: int, horizon: int, most: int | None = None):
        super().__init__(look_back, horizon, min(most or self.taken, self.taken))
        self.products_PLL = np.zeros((horizon, look_back, look_back))
        self.targets_LP = np.zeros((look_back, horizon))

    def add(self, rows: TrainingRows) -> None:
        starts_N = rows.window_starts(self.length, self.most)
        for column_T in rows.values.T if len(starts_N) else ():
            missing_T = np.isnan(column_T)
            if missing_T.all():
                continue
            filled_T = column_T[rows.fill_places(~missing_T)]
            windows_NW = sliding_window_view(filled_T, self.length)[starts_N]
            seen_NP = ~sliding_window_view(missing_T, self.length)[starts_N][:, self.look_back:]
            windows_NW = windows_NW - windows_NW[:, self.look_back - 1, None]
            past_NL, ahead_NP = windows_NW[:, :self.look_back], windows_NW[:, self.look_back:]
            for step, seen_N in enumerate(seen_NP.T):
                past_XL = past_NL[seen_N]
                self.products_PLL[step] += past_XL.T @ past_XL
                self.targets_LP[:, step] += past_XL.T @ ahead_NP[seen_N, step]
            self.target_squares += np.square(ahead_NP[seen_NP]).sum()
            self.count += int(seen_NP.any(axis=1).sum())

    def solve(self, alphas: Sequence[float]) -> list[np.ndarray]:
        found_ALP = np.zeros((len(alphas), *self.targets_LP.shape))
        for step, products_LL in enumerate(self.products_PLL):
            size = np.trace(products_LL) / self.look_back or 1.0
            values_L, vectors_LL = np.linalg.eigh(products_LL)
            turned_L = vectors_LL.T @ self.targets_LP[:, step]
            for place, alpha in enumerate(alphas):
                found_ALP[place, :, step] = vectors_LL @ (
                    turned_L / (values_L.clip(min=0) + alpha * size))
        return list(found_ALP)

    def error(self, weights_LP: np.ndarray) -> float:
        products_LP = np.einsum('plm,mp->lp', self.products_PLL, weights_LP)
        return float(self.target_squares
                     + (weights_LP * (products_LP - 2 * self.targets_LP)).sum())


def _gaps_are_everywhere(rows: TrainingRows, look_back: int, horizon: int) -> bool:
    """Whether windows without a gap ahead are too few to stand for all."""
    missing_TC = np.isnan(rows.values)
    if not missing_TC.any() or horizon * look_back ** 2 > _LARGEST:
        return False
    starts_N = rows.window_starts(look_back + horizon, 2 ** 16)
    if not len(starts_N):
        return False
    until_TC = np.concatenate([np.zeros((1, missing_TC.shape[1]), np.int64),
                               np.cumsum(missing_TC, axis=0)])
    first_N, end_N = starts_N + look_back, starts_N + look_back + horizon
    return bool((until_TC[first_N] == until_TC[end_N]).mean() < _FEW)


def _without(rows: TrainingRows, effect_KC: np.ndarray | None) -> TrainingRows:
    """What the known columns do not explain."""
    if effect_KC is None:
        return rows._replace(known=None)
    return TrainingRows(rows.values - rows.known @ effect_KC, rows.bounds)


def _effect(rows: TrainingRows, weights_LP: np.ndarray, most: int) -> np.ndarray:
    """[K, C]: least squares of the errors that these weights make in the targets on those that they
    make in the known columns."""
    gap_C = np.isnan(rows.values).any(axis=0)
    effect_KC = np.zeros((rows.known.shape[1], len(gap_C)))
    # Columns without a gap have the windows in common; a gap leaves out some of its own column.
    for columns in (np.flatnonzero(~gap_C), *np.flatnonzero(gap_C)[:, None]):
        if len(columns):
            products_DD = _error_products(rows, columns, weights_LP, most)
            effect_KC[:, columns] = _least_squares(products_DD, len(columns))
    return effect_KC


def _error_products(rows: TrainingRows, columns: np.ndarray, weights_LP: np.ndarray,
                    most: int) -> np.ndarray:
    """[D, D]: sums of products of forecast errors, of these targets and of the known columns."""
    look_back, horizon = weights_LP.shape
    series_TD = np.concatenate([rows.values[:, columns], rows.known], axis=1)
    starts_N = rows.window_starts(look_back + horizon, most)
    missing_T = np.isnan(series_TD[:, 0])
    if missing_T.any():
        series_TD = series_TD[rows.fill_places(~missing_T)]
    seen_NP = sliding_window_view(~missing_T, look_back + horizon)[:, look_back:]
    windows_NDW = sliding_window_view(series_TD, look_back + horizon, axis=0)
    block = max(1, 2 ** 22 // windows_NDW[0].size)  # windows: some 32 MB at once
    products_DD = np.zeros((series_TD.shape[1],) * 2)
    for first in range(0, len(starts_N), block):
        block_BDW = windows_NDW[starts_N[first:first + block]]
        block_BDW = block_BDW - block_BDW[..., look_back - 1, None]
        error_BDP = block_BDW[..., look_back:] - block_BDW[..., :look_back] @ weights_LP
        error_BDP *= seen_NP[starts_N[first:first + block], None]
        error_DX = error_BDP.swapaxes(0, 1).reshape(len(products_DD), -1)
        products_DD += error_DX @ error_DX.T
    return products_DD


def _least_squares(products_DD: np.ndarray, columns: int) -> np.ndarray:
    """[K, C] of the products of C targets and K known columns; 0 for columns that say nothing."""
    known_KK, both_KC = products_DD[columns:, columns:], products_DD[columns:, :columns]
    size_K = np.sqrt(known_KK.diagonal())
    size_K = np.where(size_K > 0, size_K, 1)
    found_KC = np.linalg.lstsq(known_KK / np.outer(size_K, size_K), both_KC / size_K[:, None],
                               rcond=1e-10)[0]
    return found_KC / size_K[:, None]
