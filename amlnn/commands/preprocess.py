"""Make a checked data set of a folder of class folders, look at one, or download one."""

from amlnn.command import CommandParser, InsteadOf
from amlnn.data.fetch.download_table import DATA_SETS
from amlnn.data.prepare.options import add_source_options, add_split_options
from amlnn.errors import UsageError


def parser() -> CommandParser:
    """The command line."""
    command = CommandParser(
        description='Check the images of a folder of class folders, split them, and write them\n'
                    'in ImageNet format; or only look at them; or download a data set.',
        example='python data_preprocess.py data/raw/flowers data/flower_dataset '
                '--train-ratio 0.8 --val-ratio 0.2\n'
                '  python data_preprocess.py --check data/raw/flowers\n'
                '  python data_preprocess.py --download tiny-imagenet',
        name='preprocess')
    command.usage = '%(prog)s SRC DST [options]\n' \
                    '       %(prog)s --check DIR [options] [--json]\n' \
                    '       %(prog)s --download NAME [--to FOLDER] [--overwrite]'
    add = command.add_argument
    folders = [
        add('source', metavar='SRC', help='a folder of class folders, or of parts; or its archive'),
        add('target', metavar='DST', help='the folder of the data set to make')]
    add('--check', metavar='DIR', action=InsteadOf, instead_of=folders,
        help='instead of SRC and DST: look at such a folder, or at a data set that was made, print '
             'what preparing would find, and write nothing; ends with 2 if preparing would stop')
    add('--json', action='store_true', help='of --check: one JSON object a line for each finding')
    add('--download', metavar='NAME', action=InsteadOf, instead_of=folders,
        help=f'instead of SRC and DST: fetch a data set, one of {", ".join(DATA_SETS)}')
    add('--to', metavar='FOLDER', help='where --download puts it (data; data/raw for flowers)')
    add('--overwrite', action='store_true', help='replace the data set that is there')
    add_split_options(command)
    add_source_options(command)
    return command


def main(options) -> None:
    """Prepare or download the data set."""
    values = {key: value for key, value in vars(options).items() if key != 'traceback'}
    name, to, checked, as_json = map(values.pop, ('download', 'to', 'check', 'json'))
    unset = vars(parser().parse_args(['--download', 'NAME']))
    typed = {key for key in values if values[key] != unset[key]}
    if checked is not None:
        from amlnn.data.prepare.check import check_alone
        check_alone(checked, as_json, values, typed | ({'download'} if name or to else set()))
    elif as_json:
        raise UsageError('--json is an option of --check',
                         hint='python data_preprocess.py --check DIR --json')
    elif name is None and to is None:
        from amlnn.data.prepare.prepare import prepare
        prepare(values.pop('source'), values.pop('target'), **values)
    elif name is None or typed - {'overwrite'}:
        raise UsageError('--download takes --to and --overwrite alone, and --to needs it',
                         hint='python data_preprocess.py --download NAME [--to FOLDER]')
    else:
        from amlnn.data.fetch.download import download
        download(name, to, overwrite=values['overwrite'])
