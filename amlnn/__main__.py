"""`python -m amlnn` is the command `amlnn`, where its folder is not on the PATH."""

from typing import NoReturn

from amlnn.command import end_process
from amlnn.commands.main import main


def run() -> NoReturn:
    """Run the command that the command line names, and end the process."""
    end_process(main())


if __name__ == '__main__':
    run()
