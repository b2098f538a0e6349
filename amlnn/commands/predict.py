"""Predict the classes of image files, or what follows the end of a series in a CSV file."""

import sys
from pathlib import Path

from amlnn.command import CommandParser


def main(args) -> int:
    from amlnn.config.load import load_config
    # Before torch is imported: a slip is told at once.
    config = load_config(args.config, args.cfg_options)
    from amlnn.engine.options import PredictOptions
    from amlnn.engine.soonest import predict_soonest
    bad = []

    def on_bad(path: str, reason: str) -> None:
        bad.append(path)
        print(f'warning: `{path}` cannot be read: {reason}', file=sys.stderr)

    def on_forecast(found) -> None:
        for note in found.notes:
            print(f'note: {note}', file=sys.stderr)
        if args.out:
            from amlnn.report.predicted import draw_beside
            print(f'written: {draw_beside(args.out, found)}')

    options = PredictOptions(
        config, device=args.device, checkpoint=args.checkpoint,
        trust_checkpoint=args.trust_checkpoint, data_changed=args.data_changed, inputs=args.inputs,
        topk=args.topk, reject_below=args.reject_below, json=args.json, out=args.out,
        future=args.future, on_forecast=on_forecast)
    for line in predict_soonest(options, on_bad):
        print(line, flush=True)
    return 1 if bad else 0


def parser() -> CommandParser:
    parser = CommandParser(__doc__, 'python tools/predict.py configs/resnet50_frozen3.py '
                           'work_dirs/resnet50_frozen3/latest/best.pth photos/', name='predict')
    parser.add_argument('config', type=Path, help='the config it was trained with')
    parser.add_argument('checkpoint', type=Path, help='a .pth file, or `pretrained`')
    parser.add_argument('inputs', nargs='+', metavar='INPUT',
                        help='image files, folders, globs; for a forecaster one CSV file')
    parser.add_argument('--out', type=Path, metavar='FILE',
                        help='of a forecaster: the CSV to write, and beside it a picture (.png)')
    parser.add_argument('--future', type=Path, metavar='FILE',
                        help='of a forecaster: known columns of the rows to come, where INPUT does '
                        'not end with them')
    parser.add_argument('--topk', type=int, metavar='K',
                        help='classes to name for each image (default 10)')
    parser.add_argument('--reject-below', type=float, metavar='P',
                        help='leave less sure images unanswered; a report has fitting numbers')
    parser.add_argument('--json', action='store_true', help='one JSON object a line')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='K=V', help='override keys')
    parser.add_argument('--device', choices=['auto', 'cpu', 'cuda'], default='auto')
    parser.add_argument('--data-changed', action='store_true',
                        help='go on although the data are not those it was trained on')
    parser.add_argument('--trust-checkpoint', action='store_true',
                        help='let the file run code while it is read')
    return parser
