"""Compare runs: a table here, and a page with figures in a folder.

python tools/report.py work_dirs/resnet50_baseline work_dirs/resnet50_frozen3 --out reports/flowers
"""

import sys

from amlnn.command import CommandParser


def parser() -> CommandParser:
    parser = CommandParser(
        'Compare runs: tables, curves, cost, mistakes and forecasts as HTML, Markdown and PNG.',
        example='python tools/report.py work_dirs/* --out reports/flowers', name='report')
    parser.add_argument('runs', nargs='+', metavar='RUN',
                        help='a run folder, a folder of runs, or work_dirs itself')
    parser.add_argument('--out', required=True, metavar='DIR',
                        help='a new folder, or that of an earlier report')
    parser.add_argument('--split', choices=['val', 'test'],
                        help='compare on this split (default: test if every run has it, else val)')
    parser.add_argument('--baseline', metavar='RUN',
                        help='the run with which the others are compared (default: the first)')
    return parser


def main(arguments) -> None:
    from rich.console import Console

    from amlnn.report.letters import noted_letters, unseen_note
    from amlnn.report.page import write_summaries
    from amlnn.report.tables import rich_table, terminal_columns
    from amlnn.results.store import find_runs
    from amlnn.results.summary import compare

    runs = find_runs(arguments.runs)
    baseline = find_runs([arguments.baseline])[0] if arguments.baseline else None
    summaries = compare(runs, arguments.split, baseline)
    with noted_letters() as noted:
        index = write_summaries(summaries, runs, arguments.out)
    # A file or a pipe has no width that text must fit into.
    console = Console() if sys.stdout.isatty() else Console(width=1000)
    for summary in summaries:
        columns, dropped = terminal_columns(summary, console.width)
        console.print(rich_table(summary, columns))
        if dropped:
            console.print(f'in the report also: {", ".join(dropped)}', style='dim', markup=False,
                          highlight=False)
    if noted:
        console.print(unseen_note(noted), style='dim', markup=False, highlight=False)
    print(index)
