"""Say what a backbone's features are worth on images, before anything is trained.

python tools/probe.py configs/resnet50_baseline.py --data data/flower_dataset
"""

from amlnn.command import end_process, run_command
from amlnn.commands.probe import main, parser

if __name__ == '__main__':
    end_process(run_command(parser(), main))
