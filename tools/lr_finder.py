"""Suggest a learning rate: train for a moment while it rises.

python tools/lr_finder.py configs/resnet50_frozen3.py
"""

import sys

from amlnn.command import run_command
from amlnn.commands.lr_finder import main, parser

if __name__ == '__main__':
    sys.exit(run_command(parser(), main))
