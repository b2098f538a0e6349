"""Train what a config file describes."""

from pathlib import Path

from amlnn.command import CommandParser
from amlnn.foreign_flags import add_train_flags, flagged, resumed_run, train_options
from amlnn.launcher import add_launcher, launched


def main(args) -> None:
    with launched(args, 'train'):
        _train(args)


def _train(args) -> None:
    from amlnn.config.data_place import data_option
    from amlnn.config.load import load_config
    args.cfg_options = [*flagged(args, load_config, train_options), *args.cfg_options]
    # Before torch is imported: a slip is told at once.
    config = load_config(args.config, [*args.cfg_options, *data_option(args.data)])
    from amlnn.engine.train import TrainOptions, train
    from amlnn.report.figures import draw_curves
    train(TrainOptions(config, device=args.device, work_dir=args.work_dir,
                       pretrained=args.pretrained, resume=resumed_run(args.resume), seed=args.seed,
                       dry_run=args.dry_run, data_changed=args.data_changed, exact=args.exact,
                       launcher=args.launcher), draw=draw_curves)


def parser() -> CommandParser:
    parser = CommandParser(__doc__, 'python tools/train.py configs/resnet50_frozen3.py',
                           name='train')
    parser.add_argument('config', type=Path,
                        help='a config file, or one of amlnn: amlnn::resnet50_frozen3.py')
    parser.add_argument('--work-dir', type=Path, metavar='D',
                        help='folder of run folders (default: work_dirs/<config name>)')
    parser.add_argument('--pretrained', metavar='W',
                        help='weights to start from: torchvision://resnet50, timm://<model>, a '
                        'file, or none; replaces model.pretrained')
    parser.add_argument('--resume', nargs='?', const='', metavar='RUN',
                        help='go on with a run folder; without RUN the newest unfinished run of '
                        'the same config')
    parser.add_argument('--exact', action='store_true',
                        help='with --resume: refuse where threads, device or versions are others, '
                        'with which the end would differ in its last bits')
    parser.add_argument('--data-changed', action='store_true',
                        help='with --resume: go on although the data have changed; it is recorded')
    parser.add_overrides('train_cfg.max_epochs=5')
    parser.add_argument('--dry-run', action='store_true',
                        help='build everything, run one batch of each part, keep nothing')
    add_launcher(parser, 'train')
    add_train_flags(parser)
    return parser
