"""Let trained classifiers vote, from their stored predictions.

python tools/ensemble.py work_dirs/resnet50_baseline work_dirs/densenet121_lr0.001
"""

import sys

from amlnn.command import run_command
from amlnn.commands.ensemble import main, parser

if __name__ == '__main__':
    sys.exit(run_command(parser(), main))
