"""The options of data_preprocess.py that say how its source is laid out, judged and divided."""

from amlnn.command import CommandParser
from amlnn.data.prepare.kinds import PIXEL_LIMIT

__all__ = ['add_source_options', 'add_split_options']


def add_split_options(command: CommandParser) -> None:
    """Add how the source is divided, and what is done with what is wrong or there twice."""
    add = command.add_argument
    add('--train-ratio', type=float, default=0.8, metavar='R', help='training share (0.8)')
    add('--val-ratio', type=float, default=0.2, metavar='R', help='validation share (0.2)')
    add('--test-ratio', type=float, default=0.0, metavar='R', help='test share (0); 1 in all')
    add('--seed', type=int, default=0, metavar='N',
        help='another seed, another split; the same seed, the same split on any machine (0)')
    add('--on-bad', choices=('fail', 'skip'), default='fail',
        help='files that training cannot use: list them and stop, or leave them out (fail)')
    add('--on-duplicate', choices=('fail', 'drop', 'keep'), default='drop',
        help='copies of an image: list them and stop; leave out all but the first, and all that '
             'lie in several classes; or keep them, together in one split (drop). Near copies '
             '(saved again, resized) are only ever listed, or kept in one split')


def add_source_options(command: CommandParser) -> None:
    """Add those of `prepare`'s arguments to a command line that most sources do not need."""
    add = command.add_argument
    add('--on-loss', choices=('fail', 'skip', 'convert', 'keep'), default='fail',
        help='images of which training would lose something (12 of 16 bits, floating numbers, '
             'drawings in the transparency alone): list them and stop; leave them out; write them '
             'as 8-bit PNG; or take them as they are (fail)')
    add('--labels', metavar='CSV',
        help='SRC holds images whose classes are in a table: --labels data/raw/labels.csv')
    add('--image-column', metavar='NAME',
        help='its column of image names, with or without ending, if it is not found: '
             '--image-column image_id')
    add('--label-column', metavar='NAME',
        help='its column of classes, if there are several: --label-column breed')
    add('--nested', choices=('leaf', 'join', 'top'),
        help='folders inside class folders: the class is the innermost folder, all their names '
             'joined, or the outermost: --nested leaf')
    add('--group-by', metavar='PATTERN',
        help='images that belong together are never divided between parts: a regular expression '
             "for the path below SRC, --group-by '(patient[0-9]+)', or a column of --labels")
    add('--fixes', metavar='FILE',
        help='a table that tools/doctor.py wrote, and that you went through: an image gets the '
             'class in the column suggestion, or is left out where that is empty; a row that you '
             'delete does nothing. SRC stays as it is; manifest.json records each')
    add('--pixel-limit', type=int, default=PIXEL_LIMIT, metavar='N',
        help=f'an image of more pixels is a file that training cannot use ({PIXEL_LIMIT:,})')
