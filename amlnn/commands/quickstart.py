"""Predict, train, freeze, test, forecast and report on embedded data; about 4 minutes."""

import shlex
import subprocess
from pathlib import Path

from amlnn.command import CommandParser, command_line, process_line, shipped_config, through_console

CONFIGS = 'configs/quickstart'
SOURCE = 'digits_source'
FINE_TUNED = ('digits_frozen0', 'digits_frozen3', 'digits_frozenall')
FORECAST = 'hourly_seggru'
PRETRAINED = 'configs/imagenet/efficientnet_lite0.py'


def step(name: str, *words: str) -> None:
    """Show a command of the project as the user would call it, and run it."""
    from amlnn.errors import RunFailed, Terminated
    print(f'\n$ {command_line(name)} {shlex.join(words)}', flush=True)
    status = subprocess.run([*process_line(name), *words]).returncode
    if status in (130, 143):
        raise Terminated if status == 143 else KeyboardInterrupt
    if status:
        raise RunFailed(f'`{command_line(name)}` ended with status {status}',
                        hint='its own error is shown above')


def main(args) -> None:
    from amlnn.data.prepare.digits import write_digits
    from amlnn.data.prepare.photographs import write_photographs
    from amlnn.errors import UsageError
    if not through_console() and not Path(CONFIGS).is_dir():
        raise UsageError(f'no `{CONFIGS}` here', hint='run it from the folder of the project')
    photographs = Path('data/raw/photographs')
    print(f'writing the two photographs of scikit-learn to {photographs}')
    write_photographs(photographs)
    step('predict', shipped_config(PRETRAINED), 'pretrained', str(photographs), '--topk', '5')
    raw = Path('data/raw/digits')
    print(f'\nwriting the digits of scikit-learn to {raw}')
    write_digits(raw)
    for part in ('digits_0_to_4', 'digits_5_to_9'):
        step('preprocess', f'{raw}/{part}', f'data/{part}', '--train-ratio', '0.6',
             '--val-ratio', '0.2', '--test-ratio', '0.2', '--overwrite')
    weights: tuple[str, ...] = ()
    for name in (SOURCE, *FINE_TUNED):
        config = shipped_config(f'{CONFIGS}/{name}.py')
        step('train', config, *weights)
        step('test', config, f'work_dirs/{name}/latest/best.pth')
        weights = ('--pretrained', f'work_dirs/{SOURCE}/latest/best.pth')
    config = shipped_config(f'configs/series/{FORECAST}.py')
    step('train', config)
    step('test', config, f'work_dirs/{FORECAST}/latest/best.pth')
    step('report', *(f'work_dirs/{name}/latest' for name in (*FINE_TUNED, SOURCE, FORECAST)),
         '--out', args.out)


def parser() -> CommandParser:
    parser = CommandParser(__doc__, 'python tools/quickstart.py', name='quickstart')
    parser.add_argument('--out', default='reports/quickstart', metavar='DIR',
                        help='folder of the report (default: reports/quickstart)')
    return parser
