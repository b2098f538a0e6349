"""The wrapper around timm's networks, `TIMMBackbone`, as amlnn has it."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.registry import MODELS

from amlnn.quiet import quiet_imports

with quiet_imports():
    import timm
    from mmpretrain import registry as _mmpretrain
    from mmpretrain.models.backbones import TIMMBackbone as _Plain

__all__ = ['TIMMBackbone']


@MODELS.register_module(force=True)
class TIMMBackbone(_Plain):
    """MMPretrain's TIMMBackbone, which also takes networks that cannot do without their pooling.

    It takes the place of MMPretrain's under its name. CoaT, CrossViT, EfficientViT, MetaNeXt and
    their like pool inside of what stands before their classifier: they give vectors, [B, C], where
    others give maps or tokens.

    Args:
        model_name: Of a network of timm's.
        kwargs: MMPretrain's, and those of the network.

    >>> import torch
    >>> TIMMBackbone('inception_next_atto')(torch.zeros(2, 3, 32, 32))[0].shape
    torch.Size([2, 960])
    """

    def __init__(self, model_name, features_only=False, pretrained=False, checkpoint_path='',
                 in_channels=3, init_cfg=None, **kwargs):
        with _pooling_kept_where_needed():
            super().__init__(model_name, features_only, pretrained, checkpoint_path, in_channels,
                             init_cfg, **kwargs)


_mmpretrain.MODELS.register_module(module=TIMMBackbone, force=True)


@contextmanager
def _pooling_kept_where_needed() -> Iterator[None]:
    """Let networks drop their classifier alone where they refuse to drop the pooling before it."""
    create = timm.create_model

    def created(*args, **kwargs):
        network = create(*args, **kwargs)
        reset = getattr(network, 'reset_classifier', None)
        if reset is not None:
            def tolerant(num_classes, global_pool):
                del network.reset_classifier  # the class's own from now on
                try:
                    reset(num_classes, global_pool)
                except AssertionError:
                    reset(num_classes)

            network.reset_classifier = tolerant
        return network

    timm.create_model = created
    try:
        yield
    finally:
        timm.create_model = create
