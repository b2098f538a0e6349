"""What is evaluated or predicts: the weights of a checkpoint, or the config's own."""

from dataclasses import dataclass
from pathlib import Path

from amlnn.engine.run.checkpoint import read_checkpoint

__all__ = ['PRETRAINED', 'Weights']

PRETRAINED = Path('pretrained')
"""What stands for a checkpoint where the config's own weights are meant; `./pretrained` is a file.
"""


@dataclass
class Weights:
    """What is evaluated or predicts: a checkpoint that was read, or PRETRAINED."""

    path: Path
    content: dict
    """Of the file; {} for PRETRAINED."""

    @classmethod
    def read(cls, path: Path, trust: bool = False) -> 'Weights':
        """Read a file, or nothing for PRETRAINED.

        Raises:
            CheckpointError: the file cannot be read, or would run code and is not trusted.
        """
        return cls(path, {} if path == PRETRAINED else read_checkpoint(path, trust))

    @property
    def meta(self) -> dict:
        """What the checkpoint says of itself."""
        return self.content.get('meta') or {}
