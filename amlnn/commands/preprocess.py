"""Make a checked data set of a folder of class folders, look at one, or download one."""

import sys

from amlnn.command import CommandParser, InsteadOf
from amlnn.data.fetch.download_table import DATA_SETS
from amlnn.data.prepare.options import add_source_options
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
    add('--train-ratio', type=float, default=0.8, metavar='R', help='training share (0.8)')
    add('--val-ratio', type=float, default=0.2, metavar='R', help='validation share (0.2)')
    add('--test-ratio', type=float, default=0.0, metavar='R', help='test share (0); 1 in all')
    add('--seed', type=int, default=0, metavar='N',
        help='another seed, another split; the same seed, the same split on any machine (0)')
    add('--overwrite', action='store_true', help='replace the data set that is there')
    add('--on-bad', choices=('fail', 'skip'), default='fail',
        help='files that training cannot use: list them and stop, or leave them out (fail)')
    add('--on-duplicate', choices=('fail', 'drop', 'keep'), default='drop',
        help='copies of an image: list them and stop; leave out all but the first, and all that '
             'lie in several classes; or keep them, together in one split (drop). Near copies '
             '(saved again, resized) are only ever listed, or kept in one split')
    add_source_options(command)
    return command


def main(options) -> None:
    """Prepare or download the data set."""
    sys.stdout.reconfigure(errors='backslashreplace')  # a file name may not fit the terminal
    values = {key: value for key, value in vars(options).items() if key != 'traceback'}
    name, to = values.pop('download'), values.pop('to')
    checked, as_json = values.pop('check'), values.pop('json')
    unset = vars(parser().parse_args(['--download', 'NAME']))
    typed = {key for key in values if values[key] != unset[key]}
    if checked is not None:
        _check(checked, as_json, values, typed | ({'download'} if name or to else set()))
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


def _check(folder: str, as_json: bool, values: dict, typed: set[str]) -> None:
    from amlnn.data.prepare.check import check
    if typed & {'source', 'target', 'overwrite', 'download'}:
        raise UsageError('--check writes nothing: it takes no SRC, DST, --overwrite or --download',
                         hint=f'python data_preprocess.py --check {folder}')
    check(folder, as_json=as_json, **{key: value for key, value in values.items()
                                      if key not in ('source', 'target', 'overwrite')})
