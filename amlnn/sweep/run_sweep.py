"""A sweep from its file to its table and page."""

import sys
from pathlib import Path

from rich.console import Console

from amlnn.atomic import write_text
from amlnn.console import say
from amlnn.engine.run.progress import duration
from amlnn.errors import UsageError
from amlnn.locks import Alone
from amlnn.report.letters import noted_letters
from amlnn.report.page import write_summaries
from amlnn.report.tables import csv_table, rich_table, terminal_columns
from amlnn.sweep.driver import Driver, MakeSlot
from amlnn.sweep.live import Screen, plan_table
from amlnn.sweep.outcome import Outcome, outcome_of
from amlnn.sweep.pace import expected_seconds
from amlnn.sweep.slots import LocalSlot, environment_of
from amlnn.sweep.space import Sweep
from amlnn.sweep.trials import SweepOptions

__all__ = ['run_and_report', 'run_driver', 'run_sweep']


def run_and_report(sweep: Sweep, options: SweepOptions, engine: str = 'local',
                   dry_run: bool = False, out: Path | None = None) -> Outcome | None:
    """Run a sweep, print its table, and write its page.

    Args:
        sweep: What to try.
        options: The command line.
        engine: 'local' or 'ray'.
        dry_run: Only print the trials.
        out: Folder of the report.

    Raises:
        AmlnnError: something in the sweep, its configs or their data is wrong.
        KeyboardInterrupt: it was stopped; the table so far is printed.
    """
    console = Console() if sys.stdout.isatty() else Console(width=1000)
    if options.jobs < 1:
        raise UsageError(f'--jobs is {options.jobs}', hint='at least 1')
    screen = Screen(console)
    driver = Driver(sweep, options, _slots(engine, options), screen.update, screen.say)
    driver.plan()
    if dry_run:
        seconds = expected_seconds(driver)
        console.print(plan_table(driver, seconds))
        known = [value for value in seconds.values() if value is not None]
        say(console, f'{len(driver.queue)} of {driver.total} trials to be trained, about '
                     f'{duration(sum(known) / options.jobs)}' + (
                         '' if len(known) == len(seconds) else ' for those that are known'))
        return None
    out = out or Path('reports') / sweep.name
    try:
        with screen:
            driver.run()
    except KeyboardInterrupt:
        _show(driver, console, out)
        say(console, 'stopped; the same command goes on')
        raise
    return _show(driver, console, out)


def run_sweep(sweep: Sweep, options: SweepOptions, console: Console,
              engine: str = 'local') -> Outcome:
    """Run a sweep, a line a trial, and compare; errors as those of `run_and_report`."""
    return outcome_of(run_driver(sweep, options, console, engine))


def run_driver(sweep: Sweep, options: SweepOptions, console: Console,
               engine: str = 'local') -> Driver:
    """Run a sweep, a line a trial; errors as those of `run_and_report`."""
    screen = Screen(console)
    driver = Driver(sweep, options, _slots(engine, options), screen.update, screen.say)
    driver.plan()
    with screen:
        driver.run()
    return driver


def _slots(engine: str, options: SweepOptions) -> MakeSlot:
    log = options.work_dir / '.sweep' / 'workers.log'
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = environment_of(options.jobs)
    if engine == 'ray':
        from amlnn.sweep.ray_slots import ray_slots
        return ray_slots(options.jobs)
    return lambda: LocalSlot(environment, log)


def _show(driver: Driver, console: Console, out: Path) -> Outcome:
    found = outcome_of(driver)
    if found.summaries:
        # Several sweeps on one folder end at once, and each writes the report.
        with noted_letters(), Alone(driver.folder / '.sweep' / 'report'):
            index = write_summaries(found.summaries, found.runs, out)
            for place, summary in enumerate(found.summaries, 1):
                write_text(out / f'table{"" if place == 1 else place}.csv', csv_table(summary))
        for summary in found.summaries:
            columns, dropped = terminal_columns(summary, console.width)
            console.print(rich_table(summary, columns))
            if dropped:
                say(console, f'in the report also: {", ".join(dropped)}')
            for note in summary.notes:
                say(console, note, 'note')
    for name, reason in found.unfinished:
        say(console, f'{name}: {reason}')
    if found.summaries:
        say(console, str(index))
    return found
