"""How long trials will take: told by runs that are done, else measured on a few steps."""

from amlnn.config.data_place import data_option
from amlnn.config.load import load_config
from amlnn.engine.device import choose_device
from amlnn.engine.kinds import in_scope, task_class
from amlnn.engine.pace import measure_pace
from amlnn.errors import AmlnnError
from amlnn.results.store import find_runs
from amlnn.sweep.driver import Driver
from amlnn.sweep.trials import SweepOptions, Trial

__all__ = ['expected_seconds']


def expected_seconds(driver: Driver) -> dict[str, float | None]:
    """Seconds of every trial that is to be trained, by name; None where it could not be measured.

    An epoch of a run of the same experiment that is done tells it; else a few steps do. Of trials
    that share their features, only the first computes them.
    """
    measured: dict[str, tuple[float, float] | None] = {}
    begun: set[str] = set()
    found: dict[str, float | None] = {}
    for _, trial in driver.queue:
        epochs = trial.epochs
        known = _seconds_of_another_seed(driver, trial)
        if known is not None:
            found[trial.name] = known
            continue
        if trial.identity not in measured:
            measured[trial.identity] = _measure(trial, driver.options)
        pace = measured[trial.identity]
        if pace is None:
            found[trial.name] = None
            continue
        frozen, rest = pace
        first = trial.group is None or trial.group not in begun
        if trial.group is not None:
            begun.add(trial.group)
        found[trial.name] = epochs * (rest + (frozen if first else 0.0))
    return found


def _seconds_of_another_seed(driver: Driver, trial: Trial) -> float | None:
    for folder in sorted(driver.folder.glob(f'{trial.name.rpartition("-s")[0]}-s*')):
        try:
            (run,) = find_runs([folder], lambda line: None)
        except (AmlnnError, ValueError):
            continue
        if run.record.status == 'done' and run.record.experiment == trial.identity:
            return run.record.total_seconds
    return None


def _measure(trial: Trial, options: SweepOptions) -> tuple[float, float] | None:
    """Seconds an epoch of what is frozen, and of the rest."""
    try:
        loaded = load_config(trial.config, [*trial.options, *data_option(options.data)])
        with in_scope(loaded.config):
            task = task_class(loaded.config).open(loaded, choose_device(options.device), trial.seed,
                                                  options.pretrained)
            model, _ = task.build_model(weights=False)
            loader = task.loader('train')
            path = task.fast_path(model, {'train': loader})
            pace = measure_pace(task, model, loader, path)
    except (AmlnnError, RuntimeError, ValueError):
        return None
    return pace.frozen, pace.rest
