"""What is said where a training cannot go on from what its checkpoint holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from amlnn.engine.memory import is_out_of_memory
from amlnn.errors import CheckpointError

__all__ = ['taking_up']

# What parts raise that are given a state of other parts.
_MISFITS = (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError)


@contextmanager
def taking_up(folder: Path) -> Iterator[None]:
    """Around what a checkpoint's states are given to, and around the first step with them.

    An optimizer asks only then what is in its state; a step that fails for another reason failed
    before the checkpoint was written.

    Args:
        folder: The run folder, for messages.

    Raises:
        CheckpointError: the states are not those of this training.
    """
    try:
        yield
    except _MISFITS as error:
        if is_out_of_memory(error):
            raise
        reason = ' '.join(str(error).split())[:200]
        raise CheckpointError(
            f'the checkpoint of `{folder}` cannot be gone on with, it does not hold what this '
            f'training needs: {type(error).__name__}: {reason}',
            hint='it is damaged, or was edited: put it back, or train anew') from error
