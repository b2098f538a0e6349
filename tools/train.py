"""Train what a config file describes.

python tools/train.py configs/resnet50_frozen3.py
"""

import sys

from amlnn.command import run_command
from amlnn.commands.train import main, parser

if __name__ == '__main__':
    sys.exit(run_command(parser(), main))
