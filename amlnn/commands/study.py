"""Run a whole study, and write one page of all its tables beside the reported figures.

python tools/study.py a --seeds 3
"""

from pathlib import Path

from amlnn.command import CommandParser


def parser() -> CommandParser:
    parser = CommandParser(
        'Run a study of the five: train and test what is not done yet, and write one page with '
        'the reported figures beside those of here.', example='python tools/study.py a --seeds 3',
        name='study')
    parser.add_argument('study', choices=['a', 'b', 'c', 'd', 'e'],
                        help='a: flowers; b, c, d: Tiny-ImageNet and series; e: CIFAR-100')
    parser.add_argument('--part', nargs='+', default=[], metavar='NAME',
                        help='parts of it: of a frozen, lr, backbones, exercise2, lite0; b images, '
                        'zero-shot, rnn; c images, series; d zero-shot, fine-tuning, scratch, '
                        'vote; e images')
    parser.add_argument('--smoke', action='store_true',
                        help='try it out in minutes: generated images, one epoch, no weights')
    parser.add_argument('--data', type=Path, metavar='DIR',
                        help="the data set's folder, instead of the configs'")
    parser.add_argument('--seeds', type=int, metavar='N',
                        help='trainings of each row, seeds 0 to N-1')
    parser.add_argument('--jobs', type=int, default=1, metavar='N', help='trainings at a time')
    parser.add_argument('--engine', choices=['local', 'ray'], default='local',
                        help='processes of this machine, or a Ray cluster')
    parser.add_argument('--pretrained', metavar='W', help='weights of every row, or none')
    parser.add_argument('--work-dir', type=Path, metavar='D',
                        help='folder of the runs (default: work_dirs/study_<letter>)')
    parser.add_argument('--out', type=Path, metavar='DIR',
                        help='folder of the page (default: reports/study_<letter>)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='K=V',
                        help='override keys in every training, such as train_cfg.max_epochs=10')
    parser.add_argument('--device', choices=['auto', 'cpu', 'cuda'], default='auto')
    return parser


def main(args) -> None:
    from amlnn.errors import UsageError
    if args.jobs < 1 or (args.seeds is not None and args.seeds < 1):
        raise UsageError('--jobs and --seeds are at least 1', hint='python tools/study.py --help')
    from amlnn.studies.run_study import run_and_report
    from amlnn.sweep.trials import SweepOptions
    run_and_report(args.study, SweepOptions(
        args.work_dir or Path(f'work_dirs/study_{args.study}'), args.data, args.pretrained,
        args.device, args.jobs, tuple(args.cfg_options)), args.seeds, args.engine, args.smoke,
        args.part, args.out)
