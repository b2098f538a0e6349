"""Show what a config gives the network: views, batches, classes, rates, work and time.

python tools/browse.py configs/resnet50_frozen3.py
"""

from amlnn.command import end_process, run_command
from amlnn.commands.browse import main, parser

if __name__ == '__main__':
    end_process(run_command(parser(), main))
