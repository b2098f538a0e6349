"""Run study B or C on generated series, as reported and sound, and print its tables.

python tools/series_study.py b
"""

import sys

from amlnn.command import run_command
from amlnn.commands.series_study import main, parser

if __name__ == '__main__':
    sys.exit(run_command(parser(), main))
