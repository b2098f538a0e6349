"""Arrays that a run stored, read without trusting the file."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from amlnn.errors import DataError

__all__ = ['HINT', 'read_arrays']

HINT = 'write it again: python tools/test.py CONFIG CHECKPOINT'


def read_arrays(path: Path | str, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Read every array of an npz file.

    Args:
        path: The file.
        names: Arrays that must be there.

    Raises:
        DataError: there is no file, it is truncated, or one of `names` is missing.

    >>> np.savez('stored.npz', id=np.arange(3))
    >>> read_arrays('stored.npz', ['id'])['id'].tolist()
    [0, 1, 2]
    >>> read_arrays('stored.npz', ['id', 'target'])
    Traceback (most recent call last):
        ...
    amlnn.errors.DataError: `stored.npz` has no array named target
    """
    path = Path(path)
    try:
        # The file is opened here because np.load leaves it open when the archive is damaged;
        # allow_pickle stays off: a run folder from somebody else must not run code.
        with path.open('rb') as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except FileNotFoundError:
        raise DataError(f'no predictions at `{path}`', hint=HINT) from None
    except (zipfile.BadZipFile, zlib.error, ValueError, OSError, EOFError, TypeError) as error:
        raise DataError(f'`{path}` is damaged or only half written: {error}', hint=HINT) from None
    missing = sorted(set(names) - set(arrays))
    if missing:
        raise DataError(f'`{path}` has no array named {", ".join(missing)}', hint=HINT)
    return arrays
