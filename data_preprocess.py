"""Make a checked data set of a folder of class folders, look at one, or download one.

python data_preprocess.py data/raw/flowers data/flower_dataset
"""

import sys

from amlnn.command import run_command
from amlnn.commands.preprocess import main, parser

if __name__ == '__main__':
    sys.exit(run_command(parser(), main))
