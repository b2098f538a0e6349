"""Train, freeze, test, forecast and report on embedded data; about 4 minutes."""

import shlex
import subprocess
import sys
from pathlib import Path

from amlnn.command import CommandParser, run_command

CONFIGS = 'configs/quickstart'
SOURCE = 'digits_source'
FINE_TUNED = ('digits_frozen0', 'digits_frozen3', 'digits_frozenall')
FORECAST = 'hourly_seggru'


def step(*words: str) -> None:
    """Show a command of the project, and run it."""
    from amlnn.errors import RunFailed, Terminated
    print(f'\n$ python {shlex.join(words)}', flush=True)
    status = subprocess.run([sys.executable, *words]).returncode
    if status in (130, 143):
        raise Terminated if status == 143 else KeyboardInterrupt
    if status:
        raise RunFailed(f'`python {words[0]}` ended with status {status}',
                        hint='its own error is shown above')


def main(args) -> None:
    from amlnn.data.prepare.digits import write_digits
    from amlnn.errors import UsageError
    if not Path(CONFIGS).is_dir():
        raise UsageError(f'no `{CONFIGS}` here', hint='run it from the folder of the project')
    raw = Path('data/raw/digits')
    print(f'writing the digits of scikit-learn to {raw}')
    write_digits(raw)
    for part in ('digits_0_to_4', 'digits_5_to_9'):
        step('data_preprocess.py', f'{raw}/{part}', f'data/{part}', '--train-ratio', '0.6',
             '--val-ratio', '0.2', '--test-ratio', '0.2', '--overwrite')
    weights: tuple[str, ...] = ()
    for name in (SOURCE, *FINE_TUNED):
        step('tools/train.py', f'{CONFIGS}/{name}.py', *weights)
        step('tools/test.py', f'{CONFIGS}/{name}.py', f'work_dirs/{name}/latest/best.pth')
        weights = ('--pretrained', f'work_dirs/{SOURCE}/latest/best.pth')
    step('tools/train.py', f'configs/series/{FORECAST}.py')
    step('tools/test.py', f'configs/series/{FORECAST}.py', f'work_dirs/{FORECAST}/latest/best.pth')
    step('tools/report.py', *(f'work_dirs/{name}/latest'
                              for name in (*FINE_TUNED, SOURCE, FORECAST)), '--out', args.out)


def parser() -> CommandParser:
    parser = CommandParser(__doc__, 'python tools/quickstart.py')
    parser.add_argument('--out', default='reports/quickstart', metavar='DIR',
                        help='folder of the report (default: reports/quickstart)')
    return parser


if __name__ == '__main__':
    sys.exit(run_command(parser(), main))
