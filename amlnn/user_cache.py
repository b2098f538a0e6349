"""Where amlnn caches what it can compute again."""

import os
from pathlib import Path

__all__ = ['cache_folder']


def cache_folder() -> Path:
    """`amlnn` where the user's system keeps caches: `$XDG_CACHE_HOME`, or `~/.cache` on Linux.

    Where a system keeps them elsewhere, a cache that is in `~/.cache` already goes on being used.
    """
    # Help and usage errors need no cache, and do not wait for the import.
    from platformdirs import user_cache_path
    earlier = Path.home() / '.cache' / 'amlnn'
    if not os.environ.get('XDG_CACHE_HOME') and earlier.is_dir():
        return earlier
    return user_cache_path('amlnn', appauthor=False)
