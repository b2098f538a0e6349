"""Train every point of a sweep file, and compare them.

python tools/sweep.py configs/sweeps/frozen.py
"""

from amlnn.command import end_process, run_command
from amlnn.commands.sweep import main, parser

if __name__ == '__main__':
    end_process(run_command(parser(), main))
