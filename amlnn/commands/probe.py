"""Say what a backbone's features are worth on images, before anything is trained.

python tools/probe.py configs/resnet50_baseline.py --data data/flower_dataset
"""

from pathlib import Path

from amlnn.command import CommandParser


def parser() -> CommandParser:
    parser = CommandParser(
        "Compute the features of each config's backbone once, and say what they are worth: nearest "
        'neighbours, logistic and ridge regression, accuracy by images of a class, and for every '
        'number of frozen stages the accuracy to expect and the seconds of a training. Features '
        'are kept: the same command goes on after a stop, and reads them from then on.',
        example='python tools/probe.py configs/resnet50_baseline.py configs/resnext50_lr0.001.py '
        '--data data/flower_dataset --write configs/my_best.py', name='probe')
    parser.add_argument('configs', nargs='+', metavar='CONFIG',
                        help='configs that classify images, whatever they freeze')
    parser.add_argument('--data', type=Path, metavar='DIR',
                        help="the data set's folder, instead of the configs'")
    parser.add_argument('--out', type=Path, metavar='DIR',
                        help='folder of the page and probe.json (default: work_dirs/probe/<names>)')
    parser.add_argument('--write', type=Path, metavar='FILE',
                        help='write a config that trains the best backbone with the best number of '
                        'frozen stages')
    parser.add_argument('--split', choices=['val', 'test'], help='the part that judges (default: '
                        'test where there is one); val where what is chosen is tested later')
    parser.add_argument('--no-map', action='store_true',
                        help='time no steps: the seconds of trainings are left out')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='K=V',
                        help='override keys in every config, such as execution.precision=fp32')
    parser.add_argument('--device', choices=['auto', 'cpu', 'cuda'], default='auto')
    return parser


def main(args) -> None:
    from rich.console import Console

    from amlnn.probe.run_probe import ProbeOptions, probe

    probe(ProbeOptions(args.configs, args.data, args.out, args.write, tuple(args.cfg_options),
                       args.device, not args.no_map, args.split),
          Console(width=None if Console().is_terminal else 1000))
