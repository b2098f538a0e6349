"""Kills a command before each change of the disk that it makes, and calls it again.

Then nothing is there that a call that was never killed would not have left, and all it leaves is
there; and at no time a file under its own name that is neither as before nor as at the end.
"""

import hashlib
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from file_events import Killer, in_a_child

_RUN = re.compile(r'\d{8}T\d{6}Z-[0-9a-f]{8}')
_CLOCK = re.compile(rb'\d\d:\d\d(:\d\d)?')


def contents(folder: Path) -> dict[str, str]:
    """What lies in a folder: a digest of every file by its path, without the times it tells.

    Runs, which are called by the time of their start, are numbered in their order.
    """
    runs = sorted({part for path in folder.rglob('*') for part in path.parts
                   if _RUN.fullmatch(part)})

    def numbered(text: str) -> str:
        return _RUN.sub(lambda found: f'run {runs.index(found[0])}'
                        if found[0] in runs else 'no run', text)

    found = {}
    for path in sorted(folder.rglob('*')):
        name = numbered(path.relative_to(folder).as_posix())
        if path.is_symlink():
            found[name] = numbered(str(path.readlink()))
        elif path.is_dir():
            found[name] = 'folder'
        else:
            found[name] = hashlib.sha256(_CLOCK.sub(b'', path.read_bytes())).hexdigest()
    return found


def in_a_run(*texts: str) -> bool:
    """Whether a path lies in a run, or a link leads to one: the next call makes another."""
    return any('run ' in text for text in texts)


def shapes(found: dict[str, str]) -> set[frozenset[str]]:
    """The names in a run, of every run."""
    runs: dict[str, set[str]] = {}
    for name in found:
        folder, number, rest = re.fullmatch('(.*?)(?:(run \\d+)(.*))?', name).groups()
        if number:
            runs.setdefault(folder + number, set()).add(rest)
    return {frozenset(names) for names in runs.values()}


def kill_everywhere(call: Callable[[], tuple[int, str]], folder: Path, root: Path, step: int = 1,
                    first: int = 1, accepted: str | None = None, timed: tuple[str, ...] = ()
                    ) -> tuple[int, list[str]]:
    """Kill a command at its events, call it again, and compare with one never killed.

    Args:
        call: Calls the command, and returns its exit status and what it said.
        folder: What it reads and writes lies in here, caches too.
        root: A folder for all else.
        step: Every so many events.
        first: From this one on.
        accepted: What the second call may end with instead, where the first one's work was done.
        timed: Files that say how long something took: they have to be there, whatever they say.

    Returns:
        How many events were tried, and what went wrong, a line each.
    """
    pristine, counted = root / 'pristine', root / 'events.txt'
    shutil.copytree(folder, pristine, symlinks=True)

    def child(at: int, log: str) -> tuple[int, str]:
        def do() -> None:
            os.chdir(folder)
            killer = Killer(folder, at)
            killer.install()
            status, said = call()
            os.write(1, said.encode())  # sys.stdout is the test's
            counted.write_text('\n'.join(killer.names))
            os._exit(status)

        return in_a_child(do, root / log), (root / log).read_text()

    def restore() -> None:
        shutil.rmtree(folder)
        shutil.copytree(pristine, folder, symlinks=True)

    before, ends = contents(folder), []
    for _ in range(2):
        restore()
        status, shown = child(0, 'whole.log')
        assert status == 0, shown[-3000:]
        ends.append(contents(folder))
    names = counted.read_text().splitlines()
    whole = {name: digest for name, digest in ends[0].items()
             if ends[1].get(name) == digest and name not in timed}
    assert set(ends[0]) == set(ends[1])
    wrong, tried = [], 0
    for at in range(first, len(names) + 1, step):
        tried += 1
        what = f'event {at} of {len(names)}, {names[at - 1]}'
        restore()
        status, shown = child(at, 'cut.log')
        if status != -signal.SIGKILL:
            wrong.append(f'{what}: was not killed ({status}): {shown[-300:]}')
            continue
        cut = contents(folder)
        torn = [name for name, digest in cut.items() if name in whole
                and not in_a_run(name, digest) and digest not in (whole[name], before.get(name))]
        if torn:
            wrong.append(f'{what}: half written: {torn}')
        status, shown = child(0, 'again.log')
        if status != 0 and not (accepted and accepted in shown and cut.items() >= whole.items()):
            wrong.append(f'{what}: the second call ended with {status}: {shown[-800:]}')
            continue
        end = contents(folder)
        extra = sorted(name for name in set(end) - set(ends[0]) if not in_a_run(name))
        half = [sorted(names) for names in shapes(end) - shapes(ends[0])]
        missing = sorted(set(ends[0]) - set(end))
        other = sorted(name for name, digest in whole.items()
                       if not in_a_run(name, digest) and end.get(name, digest) != digest)
        if extra or half or missing or other:
            wrong.append(f'{what}: left over {extra}, of runs {half}, missing {missing}, '
                         f'other {other}')
    return tried, wrong
