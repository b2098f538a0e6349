"""Check config files: every key of every one, before anything is built or data looked for."""

import argparse
import sys

from amlnn.command import CommandParser, run_command


def main(args: argparse.Namespace) -> int:
    from amlnn.config.report import check_files
    return check_files(args.configs, args.cfg_options or (), show=args.show, origin=args.origin)


if __name__ == '__main__':
    parser = CommandParser(
        'Check config files: every key, argument and monitored metric. Nothing is built.',
        example='python tools/check_config.py configs/resnet50_frozen3.py')
    parser.add_argument('configs', nargs='+', metavar='CONFIG',
                        help="a file, or 'mmpretrain::resnet/resnet50_8xb32_in1k.py'")
    parser.add_argument('--cfg-options', nargs='+', metavar='K=V', action='extend',
                        help='override keys: optim_wrapper.optimizer.lr=0.001')
    parser.add_argument('--show', action='store_true', help='print the resolved config')
    parser.add_argument('--origin', metavar='KEY',
                        help='print which file set KEY: optim_wrapper.optimizer.lr')
    sys.exit(run_command(parser, main))
