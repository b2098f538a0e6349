"""Compare forecasters at several rolling origins, and write the best one down.

python tools/backtest.py configs/series/own_ridge.py configs/series/own.py --data my.csv
"""

from amlnn.command import end_process, run_command
from amlnn.commands.backtest import main, parser

if __name__ == '__main__':
    end_process(run_command(parser(), main))
