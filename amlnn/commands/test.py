"""Evaluate a checkpoint on the validation or test part of its data set."""

import sys
from pathlib import Path

from amlnn.command import CommandParser
from amlnn.foreign_flags import add_test_flags, flagged, test_options, write_items
from amlnn.launcher import add_launcher, launched


def main(args) -> None:
    with launched(args, 'test') as first:
        metrics = _test(args)
        if first:
            write_items(args, metrics)


def _test(args) -> dict:
    from amlnn.config.data_place import data_option
    from amlnn.config.load import load_config
    args.cfg_options = [*flagged(args, load_config, test_options), *args.cfg_options]
    # Before torch is imported: a slip is told at once.
    config = load_config(args.config, [*args.cfg_options, *data_option(args.data)])
    from amlnn.engine.evaluate import TestOptions, test
    return test(TestOptions(config, device=args.device, checkpoint=args.checkpoint,
                            trust_checkpoint=args.trust_checkpoint,
                            data_changed=args.data_changed, split=args.split,
                            out=args.out, tta=args.tta, explain=args.explain,
                            baselines=args.baselines,
                            baseline_windows=args.baseline_windows, command=sys.argv,
                            launcher=args.launcher)).metrics


def parser() -> CommandParser:
    parser = CommandParser(__doc__, 'python tools/test.py configs/resnet50_frozen3.py '
                           'work_dirs/resnet50_frozen3/latest/best.pth', name='test')
    parser.add_argument('config', type=Path, help='the config it was trained with')
    parser.add_argument('checkpoint', type=Path, help='a .pth file, or pretrained for the weights '
                        'that the config names')
    parser.add_argument('--split', choices=['val', 'test'],
                        help='default: test where the data set has one, else val')
    parser.add_argument('--out', type=Path, metavar='FILE', help='write the record here too')
    parser.add_argument('--tta', action='store_true',
                        help="average over views: the config's tta_pipeline, else both flips")
    parser.add_argument('--explain', action='store_true', help='for the report: where a classifier '
                        'looked in its worst mistakes, and a map of its features')
    parser.add_argument('--baselines', nargs='+', choices=['ets', 'theta', 'arima'], default=[],
                        help='of a forecast: further rows, which need the package statsforecast')
    parser.add_argument('--baseline-windows', type=int, metavar='N',
                        help='on N evenly spaced windows, by default 100; 0 for all')
    parser.add_argument('--data', metavar='DIR', help="the data set's folder, or a series' file, "
                        "for all parts, instead of the config's")
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='K=V',
                        help='override keys, such as test_dataloader.batch_size=8')
    parser.add_argument('--device', choices=['auto', 'cpu', 'cuda'], default='auto')
    parser.add_argument('--trust-checkpoint', action='store_true',
                        help='let the file run code while it is read')
    parser.add_argument('--data-changed', action='store_true',
                        help='go on although the data are not those it was trained on; recorded')
    add_launcher(parser, 'test')
    add_test_flags(parser)
    return parser
