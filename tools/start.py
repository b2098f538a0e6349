"""Go the whole way from a folder of images to a tested classifier: each step is a command.

python tools/start.py data/raw/flowers --minutes 10
"""

from amlnn.command import end_process, run_command
from amlnn.commands.start import main, parser

if __name__ == '__main__':
    end_process(run_command(parser(), main))
