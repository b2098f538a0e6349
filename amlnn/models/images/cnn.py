"""Plain convolutional networks for small images, trained from scratch."""

# B batch, C channels, H height, W width

from collections.abc import Sequence

from mmengine.registry import MODELS
from torch import Tensor, nn

from amlnn.errors import ConfigError
from amlnn.quiet import quiet_imports

with quiet_imports():
    from mmpretrain.models.backbones.base_backbone import BaseBackbone

__all__ = ['PlainCNN']


@MODELS.register_module()
class PlainCNN(BaseBackbone):
    """Groups of 3x3 convolutions with relu, and a max pooling of 2 between the groups.

    As it stands it is the network of Keras's tutorial on small images: three convolutions without
    padding, 32 x 32 pixels to 64 maps of 4 x 4. With batch norm, padding and more convolutions it
    is a small VGG. Weights begin as Keras's convolutions do: uniform in +-sqrt(6 / (inputs +
    outputs)) of a pixel's window, biases zero (Glorot and Bengio, Understanding the difficulty of
    training deep feedforward neural networks, AISTATS 2010, equation 16).

    Args:
        channels: Channels of each group's convolutions.
        convolutions: Convolutions in each group.
        padding: Pixels of zeros around each convolution's input; 1 keeps height and width.
        batch_norm: Whether a batch norm, and no bias, stands before each relu.
        in_channels: Channels of an image.

    Raises:
        ConfigError: an argument is out of range.

    Source: TensorFlow, Convolutional Neural Network (CNN), https://www.tensorflow.org/tutorials/
    images/cnn; Simonyan and Zisserman, Very deep convolutional networks for large-scale image
    recognition, arXiv:1409.1556.

    >>> import torch
    >>> [each.shape for each in PlainCNN()(torch.zeros(2, 3, 32, 32))]
    [torch.Size([2, 64, 4, 4])]
    """

    def __init__(self, channels: Sequence[int] = (32, 64, 64), convolutions: int = 1,
                 padding: int = 0, batch_norm: bool = False, in_channels: int = 3):
        if not channels or min(*channels, convolutions, in_channels) < 1 or padding < 0:
            raise ConfigError(
                f'`model.backbone` has channels={tuple(channels)}, convolutions={convolutions}, '
                f'padding={padding}, in_channels={in_channels}',
                hint='padding is at least 0, the others at least 1')
        super().__init__(init_cfg=dict(
            type='Xavier', layer='Conv2d', distribution='uniform', bias=0))
        self.feat_dim = channels[-1]
        self.groups = nn.ModuleList()
        for number, outputs in enumerate(channels, 1):
            layers: list[nn.Module] = []
            for _ in range(convolutions):
                layers += [nn.Conv2d(in_channels, outputs, 3, padding=padding, bias=not batch_norm),
                           *([nn.BatchNorm2d(outputs)] if batch_norm else []), nn.ReLU()]
                in_channels = outputs
            if number < len(channels):
                layers.append(nn.MaxPool2d(2))
            self.groups.append(nn.Sequential(*layers))

    def forward(self, x_BCHW: Tensor) -> tuple[Tensor]:
        """The last group's feature map."""
        x = x_BCHW
        for group in self.groups:
            x = group(x)
        return (x,)
