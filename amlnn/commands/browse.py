"""Show what a config gives the network: views, batches, classes, rates, work and time."""

from pathlib import Path

from amlnn.command import CommandParser


def main(args) -> None:
    from amlnn.config.data_place import data_option
    from amlnn.config.load import load_config
    config = load_config(args.config, [*args.cfg_options, *data_option(args.data)])
    from amlnn.engine.browse import BrowseOptions, browse
    from amlnn.engine.device import choose_device
    from amlnn.report.browse import write_browse_page
    options = BrowseOptions(args.samples, args.views, args.seed)
    browsed = browse(config, choose_device(args.device), options)
    print(write_browse_page(browsed, args.out or Path('work_dirs/browse') / browsed.config))


def parser() -> CommandParser:
    parser = CommandParser(__doc__, 'python tools/browse.py configs/resnet50_frozen3.py',
                           name='browse')
    parser.add_argument('config', type=Path,
                        help='a config file, or one of amlnn: amlnn::resnet50_frozen3.py')
    parser.add_argument('--samples', type=int, default=8, metavar='N',
                        help='images, or windows of a series (default: 8)')
    parser.add_argument('--views', type=int, default=4, metavar='N',
                        help='of each image (default: 4)')
    parser.add_argument('--out', type=Path, metavar='DIR',
                        help='a new folder, or that of an earlier page (default: '
                        'work_dirs/browse/<config>)')
    parser.add_overrides('train_dataloader.batch_size=16')
    return parser
