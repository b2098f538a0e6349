"""Mixup of what a frozen backbone makes of images, in place of the images."""

# B batch, C channels, K classes

from types import MethodType

import torch
from torch import Tensor, nn

from amlnn.errors import ConfigError
from amlnn.quiet import quiet_imports

with quiet_imports():
    from mmpretrain.models.heads import ClsHead
    from mmpretrain.models.utils.batch_augments import Mixup
    from mmpretrain.registry import BATCH_AUGMENTS

__all__ = ['FeatureMixup', 'check_mixing', 'is_mixing_features', 'mix_features']


@BATCH_AUGMENTS.register_module()
class FeatureMixup(Mixup):
    r"""Mixes the pooled features of a batch, and its class scores alike, before the head.

    One ratio a batch, from Beta(`alpha`, `alpha`), and one permutation, as Mixup draws them (Zhang
    et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018). Mixup mixes images: what a
    network makes of a mixture is no mixture of what it makes of the images. On features that are
    frozen this is manifold mixup (Verma et al., Manifold Mixup, ICML 2019) in the last layer alone,
    and features from a cache do for it.

    Args:
        alpha: Of the Beta distribution, more than 0; small is little mixed.

    Raises:
        ConfigError: `alpha` is out of range, or what is mixed is no vector an image.

    >>> import torch
    >>> mixed_BC, scores_BK = FeatureMixup(alpha=0.4)(torch.rand(4, 8), torch.eye(4))
    >>> mixed_BC.shape, scores_BK.sum(1).round(decimals=4)
    (torch.Size([4, 8]), tensor([1., 1., 1., 1.]))
    """

    def __init__(self, alpha: float):
        if not alpha > 0:
            raise ConfigError(f'`alpha` of FeatureMixup is {alpha}', hint='more than 0, as 0.2')
        super().__init__(float(alpha))

    def __call__(self, features_BC: Tensor, scores_BK: Tensor) -> tuple[Tensor, Tensor]:
        """Mix vectors and the class scores of their images."""
        _check_pooled(features_BC)
        return super().__call__(features_BC, scores_BK)


def mix_features(model: nn.Module) -> None:
    """Hand a classifier's FeatureMixup, if it has one, from the preprocessor to the head.

    There the plain path and the fast one meet. The preprocessor goes on making class scores of
    labels, and mixes nothing.

    Args:
        model: Built and frozen.

    Raises:
        ConfigError: what lies before the head is trained, or images are to be mixed as well.
    """
    preprocessor = getattr(model, 'data_preprocessor', None)
    augment = getattr(preprocessor, 'batch_augments', None)
    kinds = [type(each).__name__ for each in getattr(augment, 'augments', ()) if each is not None]
    own = [each for each in getattr(augment, 'augments', ()) if isinstance(each, FeatureMixup)]
    if not own:
        return
    if len(own) < len(kinds):
        other = next(kind for kind in kinds if kind != FeatureMixup.__name__)
        raise ConfigError(f'FeatureMixup mixes features and {other} images: they cannot take turns',
                          hint='name one of them in `augments`')
    if getattr(model, 'backbone', None) is None or getattr(model, 'head', None) is None:
        raise ConfigError(f'FeatureMixup mixes what a head takes, and {type(model).__name__} has '
                          'none of its own', hint="model.type='ImageClassifier', with a head")
    trained = _trained_before(model)
    if trained is not None:
        raise ConfigError(
            f'FeatureMixup mixes what a frozen backbone makes of images, and `{trained}` is '
            'trained', hint="set model.frozen_stages='all', or take Mixup, which mixes images")
    preprocessor.batch_augments = None
    model.head.feature_augment = augment
    model.head.loss = MethodType(_mixed_loss, model.head)


def check_mixing(head: nn.Module, features) -> None:
    """Refuse what a head takes, where it is to be mixed and is no vector an image.

    Raises:
        ConfigError: it is not pooled.
    """
    if hasattr(head, 'feature_augment'):
        _check_pooled(features[-1] if isinstance(features, tuple | list) else features)


def is_mixing_features(model: nn.Module) -> bool:
    """Whether `mix_features` found a FeatureMixup."""
    return hasattr(getattr(model, 'head', None), 'feature_augment')


def _mixed_loss(head: ClsHead, features, data_samples: list, **options) -> dict:
    """The loss of a head's class on a mixture of features."""
    if not isinstance(features, tuple | list):
        features = (features,)
    scores_BK = torch.stack([sample.gt_score for sample in data_samples])
    mixed_BC, scores_BK = head.feature_augment(features[-1], scores_BK)
    mixed = [sample.clone().set_gt_score(score)
             for sample, score in zip(data_samples, scores_BK, strict=True)]
    return type(head).loss(head, (*features[:-1], mixed_BC), mixed, **options)


def _trained_before(model: nn.Module) -> str | None:
    """The first parameter before the head that is trained."""
    parts = {part: getattr(model, part, None) for part in ('backbone', 'neck')}
    return next((f'{part}.{name}' for part, module in parts.items() if module is not None
                 for name, each in module.named_parameters() if each.requires_grad), None)


def _check_pooled(features: Tensor) -> None:
    if features.ndim != 2:
        raise ConfigError(
            'FeatureMixup mixes pooled features, one vector an image, and here they are of '
            f'{" x ".join(map(str, features.shape[1:]))}',
            hint="model.neck=dict(type='GlobalAveragePooling'), or take Mixup, which mixes images")
