"""Show what a config gives the network: views, batches, classes, rates, work and time.

python tools/browse.py configs/resnet50_frozen3.py
"""

import sys

from amlnn.command import run_command
from amlnn.commands.browse import main, parser

if __name__ == '__main__':
    sys.exit(run_command(parser(), main))
