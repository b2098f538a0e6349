"""`python -m amlnn` is the command `amlnn`, where its folder is not on the PATH."""

import sys

from amlnn.commands.main import main

if __name__ == '__main__':
    sys.exit(main())
