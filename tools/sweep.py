"""Train every point of a sweep file, and compare them.

python tools/sweep.py configs/sweeps/frozen.py
"""

import sys

from amlnn.command import run_command
from amlnn.commands.sweep import main, parser

if __name__ == '__main__':
    sys.exit(run_command(parser(), main))
