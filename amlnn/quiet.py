"""Imports of libraries that remark, when imported, on what they could also use."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

__all__ = ['quiet_imports']


@contextmanager
def quiet_imports() -> Iterator[None]:
    """Import without what MMPretrain and mmcv print about optional packages nobody here needs."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter('ignore')
        yield
