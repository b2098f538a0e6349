"""Predict the classes of image files, or what follows the end of a series in a CSV file."""

import sys
from pathlib import Path

from amlnn.command import CommandParser


def main(args) -> int:
    import json
    from dataclasses import asdict

    from amlnn.config.kind import run_kind
    from amlnn.config.load import load_config
    # A slip is told before torch is imported.
    kind = run_kind(load_config(args.config, args.cfg_options).config)
    from amlnn.engine.predict import PredictOptions, predict
    bad = []

    def on_bad(path: str, reason: str) -> None:
        bad.append(path)
        print(f'warning: `{path}` cannot be read: {reason}', file=sys.stderr)

    options = PredictOptions(
        config=args.config, checkpoint=args.checkpoint, inputs=args.inputs, topk=args.topk,
        out=args.out, cfg_options=args.cfg_options, device=args.device,
        trust_checkpoint=args.trust_checkpoint)
    if kind == 'forecasting':
        from amlnn.engine.forecast_file import forecast_file
        print(forecast_file(options), end='')
        return 0
    for prediction in predict(options, on_bad):
        if args.json:
            print(json.dumps(asdict(prediction), ensure_ascii=False), flush=True)
        else:
            best = '  '.join(f'{each["name"]} {each["prob"]:.3f}' for each in prediction.topk)
            print(f'{prediction.path}  {best}', flush=True)
    return 1 if bad else 0


def parser() -> CommandParser:
    parser = CommandParser(__doc__, 'python tools/predict.py configs/resnet50_frozen3.py '
                           'work_dirs/resnet50_frozen3/latest/best.pth photos/', name='predict')
    parser.add_argument('config', type=Path, help='the config it was trained with')
    parser.add_argument('checkpoint', type=Path, help='a .pth file, or `pretrained`')
    parser.add_argument('inputs', nargs='+', metavar='INPUT',
                        help='image files, folders, globs; for a forecaster one CSV file')
    parser.add_argument('--out', type=Path, metavar='FILE', help="of a forecaster: the CSV's file")
    parser.add_argument('--topk', type=int, default=10, metavar='K',
                        help='classes to name for each image (default 10)')
    parser.add_argument('--json', action='store_true', help='one JSON object a line')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='K=V', help='override keys')
    parser.add_argument('--device', choices=['auto', 'cpu', 'cuda'], default='auto')
    parser.add_argument('--trust-checkpoint', action='store_true',
                        help='let the file run code while it is read')
    return parser
