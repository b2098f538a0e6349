"""What a user can get wrong, and what to do about it.

Every error here is shown as two lines, ``error:`` and ``hint:``. An error says what, where, and the
value; the hint says what to do next, if possible as a command to run.
"""

__all__ = ['AmlnnError', 'CheckpointError', 'ConfigError', 'DataError', 'RunFailed', 'Terminated',
           'UsageError', 'WeightsError']


class AmlnnError(Exception):
    """Base of all errors that a user is shown as two lines.

    Args:
        message: What is wrong, where, with the value.
        hint: What to do next.
    """

    exit_status = 2

    def __init__(self, message: str, hint: str = ''):
        super().__init__(message, hint)  # both, so that a copy in another process is the same
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class UsageError(AmlnnError):
    """The command line was wrong."""


class ConfigError(AmlnnError):
    """A config file, or an override of it, was wrong."""


class DataError(AmlnnError):
    """A data set was missing, damaged or at odds with the config."""


class WeightsError(AmlnnError):
    """Pretrained weights could not be found or do not fit."""


class CheckpointError(AmlnnError):
    """A checkpoint could not be read, or belongs to another model."""


class RunFailed(AmlnnError):
    """The input was right and the run failed all the same: the loss is not finite, say."""

    exit_status = 1


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived. Like Ctrl-C, it leaves a run that can be resumed."""
