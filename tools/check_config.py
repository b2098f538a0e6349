"""Check config files: every key, argument, parameter name and monitored metric.

python tools/check_config.py configs/resnet50_frozen3.py
"""

from amlnn.command import end_process, run_command
from amlnn.commands.check_config import main, parser

if __name__ == '__main__':
    end_process(run_command(parser(), main))
