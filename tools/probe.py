"""Say what a backbone's features are worth on images, before anything is trained.

python tools/probe.py configs/resnet50_baseline.py --data data/flower_dataset
"""

import sys

from amlnn.command import run_command
from amlnn.commands.probe import main, parser

if __name__ == '__main__':
    sys.exit(run_command(parser(), main))
