"""What a user sees of a preparation: its problems, its counts, and what to do next."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from amlnn.command import command_line, shipped_config
from amlnn.console import say
from amlnn.data.prepare.kinds import KINDS
from amlnn.data.prepare.manifest import Manifest, Problem

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ['print_problems', 'print_result']

CONFIG = 'configs/resnet50_frozen3.py'
CONFIG_DATA_ROOT = Path('data/flower_dataset')
"""Where that config looks for its data."""


def print_problems(console: 'Console', problems: Sequence[Problem], shown_of_a_kind: int,
                   action: str = 'what was done') -> None:
    """Print a table of the kinds of problems, then the first files of each kind.

    Args:
        console: Where to.
        problems: Of any kinds.
        shown_of_a_kind: How many files.
        action: The title of the column of what becomes of them.
    """
    from rich.table import Table
    kinds = {kind: [problem for problem in problems if problem.kind == kind] for kind in KINDS}
    table = Table('problem', title='Problems', title_justify='left')
    table.add_column('count', justify='right')
    table.add_column(action)
    nothing = 'nothing yet' if action == 'what was done' else 'stops'
    for kind, found in kinds.items():
        for done, count in Counter(problem.action for problem in found).items():
            table.add_row(KINDS[kind], str(count), done or nothing)
    console.print(table)
    for kind, found in kinds.items():
        if found:
            say(console, f'{KINDS[kind]}:')
        for problem in found[:shown_of_a_kind]:
            detail = f'  ({problem.detail})' if problem.detail else ''
            say(console, f'  {problem.path}{detail}')
        if len(found) > shown_of_a_kind:
            say(console, f'  ... and {len(found) - shown_of_a_kind} more')


def print_result(console: 'Console', source: Path, target: Path, manifest: Manifest) -> None:
    """Print what was written, what was left out, and the next command."""
    from rich.table import Table
    from rich.text import Text
    splits = list(next(iter(manifest.counts.values())))
    table = Table('class', title='Images', title_justify='left', show_footer=True)
    table.columns[0].footer = 'all'
    table.columns[0].overflow = 'fold'
    for split in splits:
        table.add_column(split, justify='right',
                         footer=str(sum(row[split] for row in manifest.counts.values())))
    for name, row in manifest.counts.items():
        table.add_row(Text(name), *(str(row[split]) for split in splits))
    console.print(table)
    if manifest.problems:
        print_problems(console, manifest.problems, shown_of_a_kind=5)
    for line in _choices_made(manifest):
        say(console, line)
    say(console, f'{manifest.source_images} files inspected in {source}, '
                 f'{len(manifest.images)} images written to {target}')
    say(console, f'manifest: {target / "manifest.json"}, hash {manifest.hash}')
    say(console, f'next: {_next_command(target)}')


def _choices_made(manifest: Manifest) -> list[str]:
    """What a source of other than plain class folders led to."""
    lines = []
    if manifest.parts:
        kept = ', '.join(f'{part} from {name}' for part, name in manifest.parts.items())
        carved = [split for split in next(iter(manifest.counts.values()))
                  if split not in manifest.parts]
        lines.append(f'the split of the source was kept: {kept}' + (
            f'; {" and ".join(carved)} taken out of train' if carved else ''))
    if manifest.group_by:
        count = ', '.join(f'{split} {number:,}' for split, number in manifest.groups.items())
        lines.append(f'groups by {manifest.group_by}, none of them divided: {count}')
    for kind, (low, high) in manifest.deep_ranges.items():
        lines.append(f'{kind} images were converted with {low:,.9g} as black and {high:,.9g} as '
                     'white; to read such files with the model, give their reader the same: '
                     f'--cfg-options test_dataloader.dataset.pipeline.0.deep_range='
                     f'[{low:.9g},{high:.9g}]')
    return lines


def _next_command(target: Path) -> str:
    known = target.absolute() == CONFIG_DATA_ROOT.absolute()
    return command_line('train', shipped_config(CONFIG), *() if known else ('--data', target))
