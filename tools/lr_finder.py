"""Train for a moment while the learning rate rises, and suggest one; nothing is kept of it.

python tools/lr_finder.py configs/resnet50_frozen3.py
"""

from amlnn.command import end_process, run_command
from amlnn.commands.lr_finder import main, parser

if __name__ == '__main__':
    end_process(run_command(parser(), main))
