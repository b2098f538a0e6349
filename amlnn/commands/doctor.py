"""Look for what is wrong with a data set: files, labels, copies, outliers, shortcuts."""

from pathlib import Path

from amlnn.command import CommandParser, shipped_config


def parser() -> CommandParser:
    command = CommandParser(
        'Look for what is wrong with a data set: damaged files, wrong labels, copies, outliers,\n'
        'classes that nobody tells apart, classes that are told by size or brightness alone.\n'
        'Nothing in DIR is changed. What is found is a page, and a table fixes.csv:\n'
        'id,label,suggestion,reason,score. Go through it: a suggestion gives an image that class,\n'
        'an empty one leaves it out, a row that you delete does nothing. Then\n'
        'data_preprocess.py SRC DST --fixes fixes.csv makes the data set; SRC stays as it is.',
        example='python tools/doctor.py data/raw/flowers --out reports/doctor', name='doctor')
    add = command.add_argument
    add('folder', metavar='DIR', type=Path,
        help='a folder of class folders, or a data set that data_preprocess.py made')
    add('--out', type=Path, default=Path('reports/doctor'), metavar='DIR',
        help='folder of the page and the table: a new one, or that of an earlier call, unless its '
             'table was edited since (default: reports/doctor)')
    add('--config', metavar='CONFIG',
        help='whose backbone, weights and evaluation pipeline look at the images (default: '
             f'{shipped_config("configs/backbones/efficientnet_lite0_frozenall.py")}, whose '
             'weights are installed with amlnn)')
    add('--device', choices=['auto', 'cpu', 'cuda'], default='auto')
    return command


def main(args) -> None:
    import sys

    from rich.console import Console

    from amlnn.doctor.examine import CONFIG, examine
    from amlnn.doctor.page import print_examination, write_examination
    from amlnn.report.findings import refuse_findings
    refuse_findings(args.out)
    examined = examine(args.folder, Console(stderr=True), args.config or CONFIG, args.device)
    page = write_examination(examined, args.out)
    # A file or a pipe has no width that text must fit into.
    console = Console() if sys.stdout.isatty() else Console(width=1000)
    print_examination(examined, page, console)
