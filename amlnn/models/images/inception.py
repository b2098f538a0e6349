"""InceptionV3 as a backbone: feature maps for a head of one's own."""

from mmengine.registry import MODELS
from torch import Tensor

from amlnn.quiet import quiet_imports

with quiet_imports():
    from mmpretrain.models.backbones import InceptionV3

__all__ = ['InceptionV3Features']


@MODELS.register_module()
class InceptionV3Features(InceptionV3):
    """MMPretrain's InceptionV3 up to its last mixed block, without classifier and auxiliary head.

    Takes images of 75 pixels and more, and gives one feature map of 2048 channels. ImageNet weights
    are torchvision's, which expect pixels between -1 and 1. Szegedy et al., Rethinking the
    Inception Architecture for Computer Vision, arXiv:1512.00567.

    >>> import torch
    >>> [each.shape for each in InceptionV3Features()(torch.zeros(2, 3, 75, 75))]
    [torch.Size([2, 2048, 1, 1])]
    """

    feat_dim = 2048

    def __init__(self):
        super().__init__(num_classes=1, aux_logits=False)
        del self.avgpool, self.dropout, self.fc

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """The last feature map, [B, 2048, H, W], of images [B, 3, H, W]."""
        for layer in self.children():
            x = layer(x)
        return (x,)
