"""Pretrained weights as they are, in a checkpoint's place: the word `pretrained`."""

from amlnn.config.load import LoadedConfig
from amlnn.errors import ConfigError
from amlnn.models.images.weights import count_head_classes
from amlnn.models.images.weights_file import read_tensors
from amlnn.models.images.weights_place import find_weights

__all__ = ['IMAGENET_CLASSES', 'head_classes']

IMAGENET_CLASSES = 1000


def head_classes(loaded: LoadedConfig) -> int:
    """The number of classes of the head among a config's pretrained weights.

    The names of its classes are those of the data set, if it is there and has as many; those of
    ImageNet, if there are 1000.

    Raises:
        AmlnnError: the config names no weights, leaves the head random, or the weights hold none.
    """
    model = loaded.config['model']
    source = model.get('pretrained')
    if not source:
        raise ConfigError(f'`{loaded.path}` sets no `model.pretrained`, and `pretrained` asks for '
                          'it', hint="--cfg-options model.pretrained='torchvision://resnet50'")
    if not model.get('pretrained_head'):
        raise ConfigError(
            f'`{loaded.path}` takes only the backbone from `{source}`: its head would be random',
            hint='--cfg-options model.pretrained_head=True takes the head too')
    return count_head_classes(read_tensors(find_weights(source)))
