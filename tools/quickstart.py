"""Predict, train, freeze, test, forecast and report on embedded data; about 4 minutes.

python tools/quickstart.py
"""

from amlnn.command import end_process, run_command
from amlnn.commands.quickstart import main, parser

if __name__ == '__main__':
    end_process(run_command(parser(), main))
