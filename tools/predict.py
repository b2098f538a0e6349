"""Predict the classes of image files, or what follows the end of a series in a CSV file.

python tools/predict.py CONFIG CHECKPOINT photos/
"""

from amlnn.command import end_process, run_command
from amlnn.commands.predict import main, parser

if __name__ == '__main__':
    end_process(run_command(parser(), main))
