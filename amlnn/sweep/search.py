"""Which points a sweep tries next: all of a grid, points drawn at random, or what Optuna asks for.

Optuna keeps what it asked for and was told in a journal, so that a sweep that was killed goes on
with the same points, and several processes search together. Akiba et al., Optuna, KDD 2019; TPE:
Bergstra et al., Algorithms for Hyper-Parameter Optimization, NeurIPS 2011; successive halving: Li
et al., A System for Massively Parallel Hyperparameter Tuning, MLSys 2020.
"""

from pathlib import Path
from typing import Any, Protocol

from amlnn.locks import Alone
from amlnn.sweep.space import Point, Range, Sweep, grid, random_points

__all__ = ['ListSearch', 'OptunaSearch', 'Search', 'make_search']


class Search(Protocol):
    """Gives points, and is told what came of them."""

    may_stop: bool
    """Whether a trial can be stopped by its validation curve."""

    def ask(self) -> tuple[int, Point] | None:
        """The next point with its number; None where there is none left."""

    def goes_on(self, number: int, epoch: int, value: float) -> bool:
        """Whether a trial of a point is worth its next epoch."""

    def tell(self, number: int, value: float | None, pruned: bool = False) -> None:
        """What a point reached; None where it failed."""


def make_search(sweep: Sweep, rule: str, folder: Path) -> Search:
    """The search of a sweep.

    Args:
        sweep: The sweep.
        rule: Whether its metric is better 'greater' or 'less'.
        folder: Where what is asked and told is kept.
    """
    if sweep.method == 'grid':
        return ListSearch(list(grid(sweep.dimensions)))
    if sweep.method == 'random':
        return ListSearch(random_points(sweep.dimensions, sweep.trials or 1, sweep.seed))
    return OptunaSearch(sweep, rule, folder)


class ListSearch:
    """Points that are known from the start.

    >>> search = ListSearch([{'a': 1}])
    >>> search.ask(), search.ask()
    ((0, {'a': 1}), None)
    """

    may_stop = False

    def __init__(self, points: list[Point]):
        self.points = points
        self._next = 0

    def ask(self) -> tuple[int, Point] | None:
        """See `Search`."""
        if self._next == len(self.points):
            return None
        self._next += 1
        return self._next - 1, self.points[self._next - 1]

    def goes_on(self, number: int, epoch: int, value: float) -> bool:
        """Always."""
        return True

    def tell(self, number: int, value: float | None, pruned: bool = False) -> None:
        """Nothing comes of it."""


class OptunaSearch:
    """Points that Optuna asks for: TPE, or random ones of which successive halving stops most."""

    def __init__(self, sweep: Sweep, rule: str, folder: Path):
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna
        self.sweep = sweep
        self.may_stop = sweep.method == 'halving' or sweep.prune
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f'{sweep.name}.journal'
        self._lock = folder / f'{sweep.name}.ask'
        storage = JournalStorage(JournalFileBackend(
            str(path), lock_obj=JournalFileOpenLock(str(path))))
        pruner = optuna.pruners.SuccessiveHalvingPruner(
            min_resource=sweep.min_epochs, reduction_factor=sweep.reduction) if self.may_stop \
            else optuna.pruners.NopPruner()
        self.study = optuna.create_study(
            storage=storage, study_name=_study_name(sweep), load_if_exists=True, pruner=pruner,
            direction='maximize' if rule == 'greater' else 'minimize')
        self._distributions = {key: _distribution(optuna, axis)
                               for key, axis in sweep.dimensions.items()}
        self._open = [each.number for each in self.study.trials
                      if not each.state.is_finished()]  # of a process that was killed

    def ask(self) -> tuple[int, Point] | None:
        """See `Search`."""
        if self._open:
            number = self._open.pop(0)
            return number, self._point(self.study.trials[number].params)
        with Alone(self._lock):
            number = len(self.study.trials)
            if number >= (self.sweep.trials or 1):
                return None
            # A sampler for each number: what is asked for depends on what was told before, and not
            # on how often the sweep was started.
            samplers = self._optuna.samplers
            kind = samplers.RandomSampler if self.sweep.method == 'halving' else samplers.TPESampler
            self.study.sampler = kind(seed=self.sweep.seed * 10007 + number)
            trial = self.study.ask(self._distributions)
        return trial.number, self._point(trial.params)

    def _point(self, params: dict[str, Any]) -> Point:
        point = {}
        for key, axis in self.sweep.dimensions.items():
            value = params[key]
            if isinstance(axis, Range):
                point[key] = value if axis.step is not None else float(f'{value:.6g}')
            else:
                point[key] = next(each for each in axis if repr(each) == value)
        return point

    def _trial(self, number: int) -> Any:
        return self._optuna.trial.Trial(self.study, self.study.trials[number]._trial_id)

    def goes_on(self, number: int, epoch: int, value: float) -> bool:
        """See `Search`."""
        if not self.may_stop or self.study.trials[number].state.is_finished():
            return True
        trial = self._trial(number)
        if epoch not in self.study.trials[number].intermediate_values:
            trial.report(value, epoch)
        return not trial.should_prune()

    def tell(self, number: int, value: float | None, pruned: bool = False) -> None:
        """See `Search`."""
        if self.study.trials[number].state.is_finished():  # another process was faster
            return
        states = self._optuna.trial.TrialState
        if pruned:
            self.study.tell(number, state=states.PRUNED)
        elif value is None:
            self.study.tell(number, state=states.FAIL)
        else:
            self.study.tell(number, value)


def _study_name(sweep: Sweep) -> str:
    return repr((sweep.configs, sweep.axes, sweep.method, sweep.prune, sweep.options, sweep.seeds,
                 sweep.folds, sweep.seed))


def _distribution(optuna: Any, axis: list[Any] | Range) -> Any:
    kinds = optuna.distributions
    if not isinstance(axis, Range):
        return kinds.CategoricalDistribution([repr(value) for value in axis])
    if axis.step is not None and all(isinstance(each, int)
                                     for each in (axis.low, axis.high, axis.step)):
        return kinds.IntDistribution(int(axis.low), int(axis.high), step=int(axis.step))
    return kinds.FloatDistribution(axis.low, axis.high, log=axis.log, step=axis.step)

