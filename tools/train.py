"""Train what a config file describes.

python tools/train.py configs/resnet50_frozen3.py
"""

from amlnn.command import end_process, run_command
from amlnn.commands.train import main, parser

if __name__ == '__main__':
    end_process(run_command(parser(), main))
