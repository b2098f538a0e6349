"""Let trained classifiers vote, from their stored predictions.

python tools/ensemble.py work_dirs/resnet50_baseline work_dirs/densenet121_lr0.001
"""

import sys
from pathlib import Path

from amlnn.command import CommandParser

VOTINGS = ('soft', 'hard', 'weighted', 'greedy')


def main(args) -> None:
    from rich.console import Console

    from amlnn.console import say
    from amlnn.report.votes import ceiling_text, errors_table, votes_table
    from amlnn.results.ballots import read_members
    from amlnn.results.ensemble_folder import write_ensemble
    from amlnn.results.ensembles import hold_votes

    members, notes = read_members(args.runs)
    outcome = hold_votes(members, [args.voting] if args.voting else VOTINGS, args.split, notes)
    # A file or a pipe has no width that text must fit into.
    console = Console() if sys.stdout.isatty() else Console(width=1000)
    table, dropped = votes_table(outcome, console.width)
    console.print(table)
    if dropped:
        say(console, f'no room for: {", ".join(dropped)}', 'note')
    console.print(errors_table(outcome))
    for line in (ceiling_text(outcome), *outcome.notes):
        say(console, line)
    for vote in outcome.votes:
        say(console, f'written: {write_ensemble(outcome, vote, args.out, sys.argv)}')


def parser() -> CommandParser:
    parser = CommandParser(
        'Let trained classifiers vote, from their stored predictions: members, votes and what a '
        'vote gains in one table, and a run folder of each vote, which tools/report.py shows.',
        example='python tools/ensemble.py work_dirs/resnet50_baseline/latest '
                'work_dirs/densenet121_lr0.001/latest --voting soft', name='ensemble')
    parser.add_argument('runs', nargs='+', metavar='RUN',
                        help='a run folder, or a folder of runs: two members at least')
    parser.add_argument('--voting', choices=VOTINGS,
                        help='soft: mean probability; hard: most votes; weighted: weights fitted '
                             'on val; greedy: forward selection on val (default: all four)')
    parser.add_argument('--split', choices=['val', 'test'],
                        help='judge on this split (default: test if every run has predictions of '
                             'it, else val)')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/ensemble'), metavar='D',
                        help='folder of the new run folders (default: work_dirs/ensemble)')
    return parser
