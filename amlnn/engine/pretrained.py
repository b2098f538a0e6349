"""Pretrained weights as they are, in a checkpoint's place: the word `pretrained`."""

from pathlib import Path

from amlnn.config.kind import run_kind
from amlnn.config.load import LoadedConfig
from amlnn.engine.adapt import Plan, adapt
from amlnn.engine.build import choose_device, hide_accelerators, in_scope
from amlnn.errors import ConfigError, UsageError
from amlnn.models.images.weights import count_head_classes, find_weights, read_tensors

__all__ = ['PRETRAINED', 'plan_for_pretrained']

PRETRAINED = Path('pretrained')
"""What tools/test.py and tools/predict.py take for a checkpoint; `./pretrained` is a file."""

_IMAGENET = 1000


def plan_for_pretrained(loaded: LoadedConfig, device: str) -> Plan:
    """A plan of the config's pretrained weights, head included, with the classes of that head.

    The names are those of the data set, if it is there and has as many classes; those of ImageNet,
    if there are 1000.

    Args:
        loaded: From `load_config`.
        device: 'auto', 'cpu' or 'cuda'.

    Raises:
        AmlnnError: the config names no weights, leaves the head random, or the weights hold none.
    """
    if run_kind(loaded.config) == 'forecasting':
        raise UsageError('`pretrained` instead of a checkpoint is for classifiers',
                         hint='give the checkpoint of a forecaster: work_dirs/<config>/latest/'
                         'best.pth')
    model = loaded.config['model']
    source = model.get('pretrained')
    if not source:
        raise ConfigError(f'`{loaded.path}` sets no `model.pretrained`, and `pretrained` asks for '
                          'it', hint="--cfg-options model.pretrained='torchvision://resnet50'")
    if not model.get('pretrained_head'):
        raise ConfigError(
            f'`{loaded.path}` takes only the backbone from `{source}`: its head would be random',
            hint='--cfg-options model.pretrained_head=True takes the head too')
    hide_accelerators(device)
    count = count_head_classes(read_tensors(find_weights(source)))
    with in_scope(loaded.config):
        plan = adapt(loaded, choose_device(device), class_count=count)
    if plan.classes is None and count == _IMAGENET:
        from amlnn.data.images.imagenet_classes import imagenet_classes
        plan.classes = imagenet_classes()
    return plan
