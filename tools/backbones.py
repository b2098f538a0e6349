"""List backbones: their stages, the parameters of each, and what is not possible and why.

python tools/backbones.py ConvNeXt vit_tiny_patch16_224
"""

from amlnn.command import end_process, run_command
from amlnn.commands.backbones import main, parser

if __name__ == '__main__':
    end_process(run_command(parser(), main))
