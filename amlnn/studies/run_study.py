"""A whole study from one command: its parts one after the other, and one page of all tables."""

import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from amlnn.console import say
from amlnn.errors import UsageError
from amlnn.report.letters import noted_letters
from amlnn.report.page import write_summaries
from amlnn.report.tables import rich_table, terminal_columns, titled_table
from amlnn.studies.parts import Request, Result
from amlnn.studies.table import STUDIES, Study, part_of
from amlnn.sweep.trials import SweepOptions

__all__ = ['run_and_report']

# What lets a study run through in minutes, on generated images and without weights. What they are
# worth shows in no figure; that everything is built, trained, tested and drawn does.
_SMOKE = ('train_cfg.max_epochs=1', 'execution.precision=fp32')


def run_and_report(name: str, options: SweepOptions, seeds: int | None = None,
                   engine: str = 'local', smoke: bool = False, only: Sequence[str] = (),
                   out: Path | None = None) -> Path:
    """Run a study, print its tables, and write its page.

    Args:
        name: A key of STUDIES.
        options: As of a sweep.
        seeds: Of every training; None takes those of the sweeps.
        engine: 'local' or 'ray'.
        smoke: Try it out, on generated images.
        only: Names of parts; empty for all.
        out: Folder of the page.

    Returns:
        The page.

    Raises:
        AmlnnError: something is wrong with what was asked, or with the data.
    """
    study = STUDIES[name]
    parts = list(study.parts)
    for each in only:
        if part_of(name, each) is None:
            raise UsageError(f'study {name} has no part `{each}`',
                             hint=f'one of {", ".join(part.name for part in study.parts)}')
    if only:
        parts = [part for part in parts if part.name in only]
    console = Console() if sys.stdout.isatty() else Console(width=1000)
    with ExitStack() as stack:
        if smoke:
            options = _tried_out(study, options, stack)
            seeds = 1 if seeds is None else seeds
        request = Request(options, seeds, engine, console, smoke,
                          image_options=study.smoke if smoke else ())
        results: list[Result] = []
        try:
            for part in parts:
                say(console, part.title)
                results.append(part.run(request, results))
                _print(results[-1], console)
        finally:
            if any(result.runs or result.extras for result in results):
                out = out or Path('reports') / f'study_{name}{"_smoke" if smoke else ""}'
                title = study.title + (', tried out on generated images' if smoke else '')
                page = _write(results, out, title)
                say(console, str(page))
    return page


def _tried_out(study: Study, options: SweepOptions, stack: ExitStack) -> SweepOptions:
    """Generated images for those of the study, an epoch, no weights."""
    if options.data is None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='amlnn-smoke-')))
        options = replace(options, data=study.write_images(folder / 'images'))
    return replace(options, pretrained=options.pretrained or 'none',
                   work_dir=options.work_dir.with_name(f'{options.work_dir.name}_smoke'),
                   cfg_options=(*_SMOKE, *options.cfg_options))


def _print(result: Result, console: Console) -> None:
    for summary in result.summaries:
        columns, dropped = terminal_columns(summary, console.width)
        console.print(rich_table(summary, columns))
        if dropped:
            say(console, f'in the report also: {", ".join(dropped)}')
        for note in summary.notes:
            say(console, note, 'note')
    for extra in result.extras:
        console.print(titled_table(extra.heading, extra.head, extra.rows, extra.text_columns))
        for note in extra.notes:
            say(console, note)


def _write(results: Sequence[Result], out: Path, title: str) -> Path:
    shown = [summary for result in results for summary in result.summaries]
    runs = [run for summary in shown for run in summary.runs]
    with noted_letters():
        return write_summaries(shown, runs, out, [extra for result in results
                                                  for extra in result.extras], title)
