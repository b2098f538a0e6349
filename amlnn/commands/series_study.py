"""Run study B or C on generated series, as reported and sound, and print its tables.

python tools/series_study.py b
"""

import sys
from pathlib import Path

from amlnn.command import CommandParser


def main(args) -> None:
    from rich.console import Console

    from amlnn.command import shipped_config
    from amlnn.console import say
    from amlnn.report.figures import draw_curves
    from amlnn.report.study import study_table, write_study
    from amlnn.sweep.series_study import StudyOptions, components, run_study

    options = StudyOptions(
        args.study, args.work_dir or Path('work_dirs') / f'study_{args.study}', args.seeds,
        args.device, configs=Path(shipped_config('configs/series')),
        cfg_options=tuple(args.cfg_options))
    study = run_study(options, draw_curves, lambda line: print(line, flush=True))
    # A file or a pipe has no width that text must fit into.
    console = Console() if sys.stdout.isatty() else Console(width=1000)
    for table in study.tables:
        console.print(study_table(table))
    for note in study.notes:
        say(console, note)
    print(write_study(study, components(options),
                      args.out or Path('reports') / f'study_{args.study}'))


def parser() -> CommandParser:
    parser = CommandParser(
        'Run study B (length of a series) or C (1,000 and 3,000 points): four recurrent networks, '
        'as reported and sound. Finished runs are found again.',
        example='python tools/series_study.py b', name='series_study')
    parser.add_argument('study', choices=['b', 'c'])
    parser.add_argument('--seeds', type=int, default=1, metavar='N',
                        help='trainings of each variant, seeds 0 to N-1 (default 1)')
    parser.add_argument('--work-dir', type=Path, metavar='D',
                        help='folder of the runs (default: work_dirs/study_b or study_c)')
    parser.add_argument('--out', type=Path, metavar='DIR',
                        help='folder of tables and picture (default: reports/study_b or study_c)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='K=V',
                        help='override keys in every run, such as train_cfg.max_epochs=5')
    parser.add_argument('--device', choices=['auto', 'cpu', 'cuda'], default='auto')
    return parser
