"""Check config files: every key, argument, parameter name and monitored metric."""

from amlnn.command import CommandParser


def main(args) -> int:
    from amlnn.config.data_place import data_option
    from amlnn.config.report import check_files
    if args.for_tools:
        from amlnn.engine.export_config import export_config
        return export_config(args.configs, [*args.cfg_options, *data_option(args.data)], args.out)
    return check_files(args.configs, [*args.cfg_options, *data_option(args.data)],
                       show=args.show, origin=args.origin, second_tier=check_names)


def check_names(loaded) -> None:
    """Parameter names, if the config has any; only the first time is the model built for them."""
    from amlnn.config.check import check_parameters

    def names(model):
        from amlnn.engine.opening import parameter_names
        return parameter_names(loaded)

    check_parameters(loaded, names)
    if loaded.config.get('train_dataloader'):
        from amlnn.config.run_keys import check_run_keys
        check_run_keys(loaded)


def parser() -> CommandParser:
    parser = CommandParser(__doc__, 'python tools/check_config.py configs/resnet50_frozen3.py',
                           name='check_config')
    parser.add_argument('configs', nargs='+', metavar='CONFIG',
                        help="a file, 'amlnn::resnet50_frozen3.py', or "
                        "'mmpretrain::resnet/resnet50_8xb32_in1k.py'")
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='K=V', action='extend',
                        help='override keys: optim_wrapper.optimizer.lr=0.001')
    parser.add_argument('--data', metavar='DIR', help="the data set's folder, or a series' file")
    parser.add_argument('--show', action='store_true', help='print the resolved config')
    parser.add_argument('--origin', metavar='KEY',
                        help='print which file set KEY: optim_wrapper.optimizer.lr')
    parser.add_argument('--for', dest='for_tools', choices=['mmpretrain'],
                        help="print the config as MMPretrain's own tools read it")
    parser.add_argument('--out', metavar='FILE', help='with --for: write it here')
    return parser
