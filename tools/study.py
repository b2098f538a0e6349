"""Run a whole study, and write one page of all its tables beside the reported figures.

python tools/study.py a --seeds 3
"""

from amlnn.command import end_process, run_command
from amlnn.commands.study import main, parser

if __name__ == '__main__':
    end_process(run_command(parser(), main))
