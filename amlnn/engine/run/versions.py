"""Versions of the libraries that a result depends on."""

import platform

import mmengine
import numpy as np
import torch

import amlnn

__all__ = ['library_versions', 'vision_versions']


def library_versions() -> dict[str, str]:
    """Of what every run uses; a forecast is made without the vision libraries."""
    return {'amlnn': amlnn.__version__, 'python': platform.python_version(),
            'torch': str(torch.__version__), 'mmengine': mmengine.__version__,
            'numpy': np.__version__}


def vision_versions() -> dict[str, str]:
    """Those, and of what images need."""
    import cv2
    import mmpretrain
    import torchvision

    from amlnn.openvino_library import openvino_version
    versions = library_versions() | {'torchvision': str(torchvision.__version__),
                                     'mmpretrain': mmpretrain.__version__,
                                     'opencv': cv2.__version__}
    if (openvino := openvino_version()) is not None:
        versions['openvino'] = openvino
    return versions
