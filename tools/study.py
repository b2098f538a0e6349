"""Run a whole study, and write one page of all its tables beside the reported figures.

python tools/study.py a --seeds 3
"""

import sys

from amlnn.command import run_command
from amlnn.commands.study import main, parser

if __name__ == '__main__':
    sys.exit(run_command(parser(), main))
