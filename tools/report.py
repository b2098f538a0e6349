"""Compare runs: a table here, and a page with figures in a folder.

python tools/report.py work_dirs/resnet50_baseline work_dirs/resnet50_frozen3 --out reports/flowers
"""

from amlnn.command import end_process, run_command
from amlnn.commands.report import main, parser

if __name__ == '__main__':
    end_process(run_command(parser(), main))
