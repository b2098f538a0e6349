"""What a sweep shows while it runs: a table on a terminal, a line a trial elsewhere."""

import time

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from amlnn.engine.run.progress import duration
from amlnn.sweep.driver import Driver
from amlnn.sweep.trials import said_of

__all__ = ['Screen', 'plan_table', 'trial_table']

_SECONDS_BETWEEN = 0.5
_ROWS = 30  # more do not fit on a screen; those that run come first
_LOOKS = {'done': 'green', 'failed': 'red', 'running': 'bold', 'pruned': 'dim', 'waiting': 'dim'}


class Screen:
    """Shows a sweep; used as a context.

    Args:
        console: Where to.
    """

    def __init__(self, console: Console):
        self.console = console
        self._live = Live(console=console, auto_refresh=False, transient=True) \
            if console.is_terminal else None
        self._shown = 0.0

    def __enter__(self) -> 'Screen':
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._live.stop()

    def say(self, line: str) -> None:
        """A line that stays."""
        self.console.print(Text(line))

    def update(self, driver: Driver) -> None:
        """Show where the sweep is."""
        if self._live and time.monotonic() - self._shown > _SECONDS_BETWEEN:
            self._shown = time.monotonic()
            self._live.update(trial_table(driver), refresh=True)


def trial_table(driver: Driver) -> Table:
    """Every trial with its epoch, the best so far, and the time left."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=_title(driver), title_justify='left')
    for name in ('trial', 'seed', 'fold', 'epoch', 'best so far', ''):
        table.add_column(name, justify='right' if name in ('seed', 'fold', 'epoch') else 'left')
    running = {each.trial.name: each for each in driver.running}
    order = {'running': 0, 'waiting': 1}
    trials = sorted(driver.trials, key=lambda trial: order.get(
        driver.states[trial.name].progress, 2))
    for trial in trials[:_ROWS]:
        state = driver.states[trial.name]
        here = running.get(trial.name)
        record = state.record
        epoch = here.epoch if here else len(record.epochs) if record else 0
        best = here.best if here and here.best is not None else record and record.best_value
        how = said_of(state) if state.settled and state.progress != 'done' else state.progress
        if state.progress == 'running' and here is None:
            how = 'running in another process'
        table.add_row(Text(trial.label), str(trial.seed),
                      '' if trial.fold is None else str(trial.fold), f'{epoch}/{trial.epochs}',
                      '' if best is None else f'{best:.4g}',
                      Text(how, style=_LOOKS.get(state.progress, '')))
    if len(trials) > _ROWS:
        table.add_row(f'and {len(trials) - _ROWS} more', *[''] * 5)
    return table


def _title(driver: Driver) -> str:
    done = sum(state.settled for state in driver.states.values())
    left = driver.seconds_left
    shown = '' if left is None else f', about {duration(left)} left'
    return f'{driver.sweep.name}: {done} of {driver.total} trials{shown}'


def plan_table(driver: Driver, seconds: dict[str, float | None]) -> Table:
    """What --dry-run prints: the trials in their order, what they share, and how long they take.

    Args:
        driver: After `plan`.
        seconds: Of each trial, by name; None where it is not known.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, right in (('trial', False), ('seed', True), ('fold', True), ('epochs', True),
                        ('shares features', False), ('expected s', True), ('', False),
                        ('run folder', False)):
        table.add_column(name, justify='right' if right else 'left')
    letters: dict[str, str] = {}
    groups = [trial.group for trial in driver.trials]
    ordered = [*(trial for _, trial in driver.queue),
               *(trial for trial in driver.trials if driver.states[trial.name].settled)]
    for trial in ordered:
        shared = trial.group is not None and groups.count(trial.group) > 1
        letter = letters.setdefault(trial.group or '', _letter(len(letters))) if shared else ''
        took = seconds.get(trial.name)
        state = driver.states[trial.name]
        table.add_row(Text(trial.label), str(trial.seed),
                      '' if trial.fold is None else str(trial.fold), str(trial.epochs), letter,
                      '' if state.settled else '?' if took is None else f'{took:.0f}',
                      state.progress, trial.name)
    return table


def _letter(number: int) -> str:
    return (_letter(number // 26 - 1) if number >= 26 else '') + chr(ord('A') + number % 26)
