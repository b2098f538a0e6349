"""What a user sends where something went wrong that is not his fault: one file that says it all."""

import platform
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

__all__ = ['write_bug_report']

_PACKAGES = ('amlnn', 'torch', 'torchvision', 'onedl-mmengine', 'onedl-mmcv', 'onedl-mmpretrain',
             'timm', 'numpy', 'opencv-python', 'opencv-python-headless', 'scikit-learn', 'pillow')

_LONGEST = 100_000
"""Characters of a config that go into the report."""


def write_bug_report(error: BaseException, folder: Path | None = None) -> Path | None:
    """Write versions, command, config and traceback into a file.

    Args:
        error: What was raised.
        folder: Where to; None for the working folder, or a temporary one if that takes no files.

    Returns:
        The file; None if there is no place for one.
    """
    name = f'amlnn-error-{datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")}.txt'
    text = _text(error)
    for place in [folder] if folder else [Path.cwd(), Path(tempfile.gettempdir())]:
        try:
            path = place / name
            path.write_text(text, encoding='utf-8', errors='replace')
        except OSError:
            continue
        return path
    return None


def _text(error: BaseException) -> str:
    parts = [('command', ' '.join(map(repr, sys.argv))), ('machine', platform.platform()),
             ('versions', '\n'.join(_versions())),
             ('traceback', ''.join(traceback.format_exception(error)))]
    parts += [(f'config {path}', text) for path, text in _configs()]
    return ''.join(f'== {head}\n{body.rstrip()}\n\n' for head, body in parts)


def _versions() -> list[str]:
    found = [f'python {platform.python_version()}']
    for name in _PACKAGES:
        try:
            found.append(f'{name} {metadata.version(name)}')
        except metadata.PackageNotFoundError:
            continue
    return found


def _configs() -> list[tuple[str, str]]:
    """The config files that the command line names."""
    found = []
    for word in sys.argv[1:]:
        path = Path(word)
        try:
            if path.suffix in ('.py', '.json', '.yaml', '.yml') and path.is_file():
                found.append((word, path.read_text(encoding='utf-8', errors='replace')[:_LONGEST]))
        except (OSError, ValueError):
            continue
    return found
