"""Predict the classes of image files, or what follows the end of a series in a CSV file.

python tools/predict.py CONFIG CHECKPOINT photos/
"""

import sys

from amlnn.command import run_command
from amlnn.commands.predict import main, parser

if __name__ == '__main__':
    sys.exit(run_command(parser(), main))
