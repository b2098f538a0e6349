"""Predict, train, freeze, test, forecast and report on embedded data; about 4 minutes.

python tools/quickstart.py
"""

import sys

from amlnn.command import run_command
from amlnn.commands.quickstart import main, parser

if __name__ == '__main__':
    sys.exit(run_command(parser(), main))
