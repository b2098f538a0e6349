"""OpenVINO, imported where it is first needed and without its telemetry."""

import importlib.metadata
import importlib.util
import sys
from types import ModuleType

from amlnn.quiet import quiet_imports

__all__ = ['import_openvino', 'openvino_version']

_TELEMETRY = 'openvino_telemetry'


def openvino_version() -> str | None:
    """Of the installed package, which is not imported; None where there is none."""
    try:
        return importlib.metadata.version('openvino')
    except importlib.metadata.PackageNotFoundError:
        return None


def import_openvino() -> ModuleType:
    """The package; its import sends nothing and leaves no file in the user's home.

    OpenVINO reports its import and every conversion through a package of its own. Where that one
    cannot be imported it takes a stand-in that does nothing.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    if _TELEMETRY in sys.modules:
        with quiet_imports():
            import openvino
        return openvino
    sys.modules[_TELEMETRY] = None  # Python's word for "not there"
    try:
        with quiet_imports():
            import openvino
    finally:
        del sys.modules[_TELEMETRY]
    return openvino
