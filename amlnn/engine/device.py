"""Which processor a run takes, and what the process has to know of that choice."""

import os

import torch
from mmengine.device import utils as mmengine_device
from mmengine.utils.dl_utils import set_multi_processing

from amlnn.engine.memory import keep_freed_memory
from amlnn.engine.processes import processes
from amlnn.errors import ConfigError
from amlnn.records import device_of_several

__all__ = ['choose_device', 'device_name', 'finish_queued', 'set_environment']


def choose_device(name: str) -> str:
    """'cpu' or 'cuda' from 'auto', 'cpu' or 'cuda'; prepares the process for it.

    Raises:
        ConfigError: 'cuda' was asked for and there is none.
    """
    if name == 'cpu':  # MMEngine takes an accelerator wherever it sees one
        os.environ['CUDA_VISIBLE_DEVICES'] = '-1'
        mmengine_device.DEVICE = 'cpu'
    available = name != 'cpu' and torch.cuda.is_available()
    if name == 'cuda' and not available:
        raise ConfigError('--device cuda, and this machine has no usable GPU',
                          hint='--device auto takes what there is')
    device = 'cuda' if available else 'cpu'
    if device == 'cpu':
        keep_freed_memory()
    return device


def device_name(device: str) -> str:
    """'cpu', or the accelerator's own name; with their number, where several processes have one."""
    name = torch.cuda.get_device_name() if device == 'cuda' else 'cpu'
    count = processes().count
    return name if count == 1 else device_of_several(name, count)


def finish_queued() -> None:
    """Wait until a GPU has done what it was given, before a clock is read."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def set_environment(section: dict) -> None:
    """What `env_cfg` of a config says of the process, where no Runner reads it.

    Args:
        section: `env_cfg`; an empty one changes nothing.
    """
    if section.get('cudnn_benchmark'):
        torch.backends.cudnn.benchmark = True
    if section.get('mp_cfg'):
        set_multi_processing(**section['mp_cfg'], distributed=False)
