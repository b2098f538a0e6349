"""Evaluate a checkpoint on the validation or test part of its data set.

python tools/test.py configs/resnet50_frozen3.py work_dirs/resnet50_frozen3/latest/best.pth
"""

from amlnn.command import end_process, run_command
from amlnn.commands.test import main, parser

if __name__ == '__main__':
    end_process(run_command(parser(), main))
