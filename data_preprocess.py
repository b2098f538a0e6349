"""Make a checked data set of a folder of class folders, look at one, or download one.

python data_preprocess.py data/raw/flowers data/flower_dataset
"""

from amlnn.command import end_process, run_command
from amlnn.commands.preprocess import main, parser

if __name__ == '__main__':
    end_process(run_command(parser(), main))
