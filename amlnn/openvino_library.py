"""OpenVINO, imported where it is first needed and without its telemetry."""

import importlib
import importlib.metadata
import logging
import sys
from functools import cache
from types import ModuleType
from typing import Any

from amlnn.quiet import quiet_imports

__all__ = ['import_nncf', 'import_openvino', 'nncf_version', 'openvino_core', 'openvino_version']

_TELEMETRY = 'openvino_telemetry'


def openvino_version() -> str | None:
    """Of the installed package, which is not imported; None where there is none."""
    return _version('openvino')


def nncf_version() -> str | None:
    """The same of NNCF."""
    return _version('nncf')


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def import_openvino() -> ModuleType:
    """The package.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    return _untold('openvino')


@cache
def openvino_core() -> Any:
    """The process's `openvino.Core`, which lives as long as it does.

    The CPU plugin gives the main thread a stack for its signals, and with the last core and model
    takes the memory away, not the stack: the next signal, of a worker that ends, would end all.
    """
    return import_openvino().Core()


def import_nncf() -> ModuleType:
    """The package that quantises OpenVINO's models.

    Raises:
        ImportError: NNCF is not installed.
    """
    # Which remarks that there is no CUDA.
    logging.getLogger('torch.utils.cpp_extension').setLevel(logging.ERROR)
    nncf = _untold('nncf')
    nncf.set_log_level(logging.ERROR)
    return nncf


def _untold(name: str) -> ModuleType:
    """Import a package of OpenVINO's such that it sends nothing and leaves no file in a home.

    They report their import and every conversion through a package of its own. Where that one
    cannot be imported they take a stand-in that does nothing.
    """
    absent: Any = object()
    before = sys.modules.get(_TELEMETRY, absent)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # Python's word for "not there"
    try:
        with quiet_imports():
            return importlib.import_module(name)
    finally:
        del sys.modules[_TELEMETRY]
        if before is not absent:
            sys.modules[_TELEMETRY] = before
