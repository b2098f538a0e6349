"""Let trained classifiers vote, from their stored predictions.

python tools/ensemble.py work_dirs/resnet50_baseline work_dirs/densenet121_lr0.001
"""

from amlnn.command import end_process, run_command
from amlnn.commands.ensemble import main, parser

if __name__ == '__main__':
    end_process(run_command(parser(), main))
