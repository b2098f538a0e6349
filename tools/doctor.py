"""Look for what is wrong with a data set: files, labels, copies, outliers, shortcuts.

python tools/doctor.py data/raw/flowers --out reports/doctor
"""

from amlnn.command import end_process, run_command
from amlnn.commands.doctor import main, parser

if __name__ == '__main__':
    end_process(run_command(parser(), main))
