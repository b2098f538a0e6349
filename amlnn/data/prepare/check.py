"""Looks at a folder as preparing it would, prints what it finds, and writes nothing there."""

import json
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amlnn.console import say
from amlnn.data.prepare.accept import Refused, accept, open_any
from amlnn.data.prepare.archives import is_archive
from amlnn.data.prepare.choices import Choices, make_choices
from amlnn.data.prepare.manifest import Problem
from amlnn.data.prepare.prepared import is_prepared, open_prepared
from amlnn.data.prepare.summary import print_problems
from amlnn.errors import DataError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ['check', 'check_alone']


def check(source: Path | str, *, as_json: bool = False, console: 'Console | None' = None,
          **options: Any) -> list[Problem]:
    """Say what preparing a source would find, or what is wrong with a prepared data set.

    Args:
        source: What `prepare` takes, or what it wrote.
        as_json: Print one JSON object a line for each finding, and nothing else.
        console: Where to print; None is standard output.
        options: Those of `prepare` that say how a source is read, judged and divided.

    Returns:
        What was found, by path; what would stop the preparation has no action.

    Raises:
        UsageError: an option is wrong.
        DataError: preparing would refuse the source; of a prepared data set also, that it has
            changed or that the same image is in several of its parts.
    """
    from rich.console import Console
    console = console or Console()
    choices = make_choices(**options)
    if not str(source):
        raise UsageError('--check has an empty name', hint='python data_preprocess.py --check DIR')
    source = Path(source)
    refusal: DataError | None = None
    try:
        problems, count = _judge(source, choices, Console(stderr=True))
    except Refused as error:
        problems, count, refusal = error.problems, None, error
    except OSError as error:
        where = f'`{error.filename}`: ' if error.filename else ''
        raise DataError(f'{where}{error.strerror or error}',
                        hint='check permissions and free space, then run again') from error
    if as_json:
        for problem in problems:
            print(json.dumps({**asdict(problem), 'refused': not problem.action},
                             ensure_ascii=False), file=console.file)
    else:
        _print(console, source, problems, count)
    if refusal is not None:
        raise refusal
    return problems


def check_alone(source: str, as_json: bool, options: dict[str, Any], typed: set[str]) -> None:
    """Check as the command line says, which may say nothing that belongs to preparing alone.

    Args:
        source: As for `check`.
        as_json: As for `check`.
        options: Those of `prepare`, by name.
        typed: Names of those that the user gave.

    Raises:
        UsageError: there is one that writes.
        DataError: as for `check`.
    """
    writing = ('source', 'target', 'overwrite', 'download')
    if typed & set(writing):
        raise UsageError('--check writes nothing: it takes no SRC, DST, --overwrite or --download',
                         hint=f'python data_preprocess.py --check {shlex.quote(str(source))}')
    check(source, as_json=as_json, **{key: value for key, value in options.items()
                                      if key not in writing})


def _judge(source: Path, choices: Choices, console: 'Console') -> tuple[list[Problem], int]:
    """The findings, and how many files were looked at."""
    # For what has to be written: an archive's images, and those whose numbers are converted.
    with tempfile.TemporaryDirectory(prefix='amlnn-check-') as folder:
        work = Path(folder)
        prepared = not is_archive(source) and is_prepared(source)
        opened = open_prepared(source) if prepared else \
            open_any(source, choices, work / 'unpacked')
        accepted = accept(source, opened, choices, work, console)
        problems = accepted.problems
        if prepared:
            # Of a source the copies in training would be left out; here they are trained on.
            problems = [replace(problem, action='') if problem.kind == 'part-copy' else problem
                        for problem in problems]
            if any(not problem.action for problem in problems):
                raise Refused(f'`{source}` has images in several parts, listed above',
                              'prepare it again from the raw images', problems)
        return problems, opened.file_count


def _print(console: 'Console', source: Path, problems: Sequence[Problem],
           count: int | None) -> None:
    if problems:
        print_problems(console, problems, shown_of_a_kind=5, action='what preparing does')
    stops = sum(not problem.action for problem in problems)
    looked = '' if count is None else f'{count:,} files inspected, '
    found = 'nothing found' if not problems else \
        f'{len(problems):,} findings, {stops:,} of which stop a preparation'
    say(console, f'{source}: {looked}{found}')
