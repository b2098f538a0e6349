"""What of a classifier is its network and what its classification layer.

MMPretrain's ImageClassifier has them apart, as `backbone` and `head`; its TimmClassifier and
HuggingFaceClassifier hold another library's whole network in `model`, with the layer inside. Other
models of MMPretrain (self-supervised, multimodal, retrieval) are no classifiers.
"""

from mmengine.model import BaseModel
from torch import nn

from amlnn.errors import ConfigError

__all__ = ['classifier_layers', 'network_of', 'refuse_other_models']

_CLASSIFIERS = ('ImageClassifier', 'TimmClassifier', 'HuggingFaceClassifier')
_TASKS = {'selfsup': 'learns without labels', 'multimodal': 'works on images and text',
          'retrievers': 'retrieves images', 'tta': 'averages over views (--tta of tools/test.py '
          'does that)'}


def refuse_other_models(section: dict) -> None:
    """Ask of a config's `model`, before it is built, whether it is a classifier.

    Raises:
        ConfigError: it is something else of MMPretrain's, or a part of a model.

    >>> refuse_other_models(dict(type='ImageClassifier'))
    >>> refuse_other_models(dict(type='ResNet', depth=18))
    Traceback (most recent call last):
    ...
    amlnn.errors.ConfigError: `model.type` is `ResNet`, which is a part of a model, not a whole one
    """
    from mmpretrain.registry import MODELS  # brings in MMPretrain
    kind = section.get('type')
    found = MODELS.get(kind) if isinstance(kind, str) else kind
    if not isinstance(found, type):
        return  # building it says what is wrong
    family = found.__module__.split('.')
    if family[:2] == ['mmpretrain', 'models'] and found.__name__ not in _CLASSIFIERS and (
            family[2] in _TASKS):
        raise ConfigError(
            f'`model.type` is `{found.__name__}`, which {_TASKS[family[2]]}; classifiers are '
            'trained here', hint=f'one of {", ".join(_CLASSIFIERS)}; weights that it learned go on '
            'from --pretrained FILE')
    if not issubclass(found, BaseModel) and issubclass(found, nn.Module):
        raise ConfigError(
            f'`model.type` is `{found.__name__}`, which is a part of a model, not a whole one',
            hint=f"model=dict(type='ImageClassifier', backbone=dict(type='{found.__name__}', ...), "
            "neck=dict(type='GlobalAveragePooling'), head=dict(type='LinearClsHead', ...))")


def network_of(model: nn.Module, asked: str) -> nn.Module:
    """The module that weights are loaded into and that is frozen.

    Args:
        model: A classifier.
        asked: What it is asked for, as the error says it: '`model.pretrained` is set'.

    Raises:
        ConfigError: the model has none.
    """
    for name in ('backbone', 'model'):
        network = getattr(model, name, None)
        if isinstance(network, nn.Module):
            return network
    kind = type(model).__name__
    raise ConfigError(f'{asked}, and {kind} has no `backbone`',
                      hint=f'leave it out, or call the main part of {kind} `backbone`')


def classifier_layers(model: nn.Module) -> tuple[str, ...]:
    """Names of the classification layers inside of `network_of(model)`; () where a head is apart.
    """
    network = getattr(model, 'model', None)
    if isinstance(getattr(model, 'backbone', None), nn.Module) or not isinstance(
            network, nn.Module):
        return ()
    if hasattr(network, 'get_classifier'):
        given = network.get_classifier()
        layers = given if isinstance(given, tuple | list) else [given]
        return tuple(name for name, module in network.named_modules()
                     if any(module is layer for layer in layers) and list(module.parameters()))
    body = getattr(network, 'base_model_prefix', '')  # of a network of transformers
    return tuple(name for name, module in network.named_children()
                 if body and name != body and list(module.parameters()))
