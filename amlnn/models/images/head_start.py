"""A head that begins with ridge regression on the features instead of random weights.

Kumar et al., Fine-tuning can distort pretrained features and underperform out-of-distribution, ICLR
2022, https://arxiv.org/abs/2202.10054: from a head that fits the features already, fine-tuning
changes them less.
"""

# B batch, F features, K classes

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn

from amlnn.errors import ConfigError
from amlnn.formulas.linear_probe import ProbeSums
from amlnn.formulas.temperature import best_scale
from amlnn.models.images.heads import DenseHead
from amlnn.quiet import quiet_imports

with quiet_imports():
    from mmpretrain.models.heads import LinearClsHead

__all__ = ['check_head_start', 'start_head']

_MOST_FEATURES = 8192  # whose matrix has half a gigabyte
_SCALED_ON = 4096  # images, from which the scale of the scores is fitted


def check_head_start(model: nn.Module) -> None:
    """Refuse a model whose head is no dense layer on the features.

    Raises:
        ConfigError: says so; or there are too many features.
    """
    head = getattr(model, 'head', None)
    plain = type(head) is LinearClsHead or (type(head) is DenseHead and not len(head.hidden))
    if plain and isinstance(getattr(head, 'fc', None), nn.Linear):
        count = head.fc.in_features
        if count > _MOST_FEATURES:
            raise ConfigError(
                f"`model.head_start` is 'probe', and {count:,} features an image take a matrix of "
                f'{8 * count ** 2 / 1e9:.0f} GB', hint='pool them: '
                "model.neck=dict(type='GlobalAveragePooling'); or leave head_start out")
        return
    raise ConfigError(f"`model.head_start` is 'probe', and {type(head).__name__} is no single "
                      'dense layer', hint="model.head.type='LinearClsHead', or 'DenseHead' without "
                      'hidden_channels; or leave head_start out')


@torch.no_grad()
def start_head(head: nn.Module, batches: Iterable[dict], features: Callable[[dict], tuple]) -> str:
    """Give a head the closed-form solution, and say how well it fits.

    Args:
        head: That `check_head_start` let pass.
        batches: Of the training part, one pass.
        features: What the head takes for a batch.

    Raises:
        ConfigError: an image has no single class, or there are too few.
    """
    layer = head.fc
    sums = ProbeSums(layer.in_features, layer.out_features)
    kept: list[tuple[Tensor, list[int]]] = []
    for batch in batches:
        vectors_BF = head.pre_logits(features(batch)).detach().float().cpu()
        labels = [_label(sample) for sample in batch['data_samples']]
        sums.add(vectors_BF.double().numpy(), labels)
        if sum(map(len, (known for _, known in kept))) < _SCALED_ON:
            kept.append((vectors_BF, labels))
    probe = sums.solve()
    shown = torch.cat([vectors for vectors, _ in kept]).double().numpy()
    labels = [label for _, known in kept for label in known]
    scores = shown @ probe.weights.T + probe.bias
    scale = best_scale(scores, np.asarray(labels))  # of least squares: hardly surer than chance
    layer.weight.copy_(torch.from_numpy(scale * probe.weights))
    if layer.bias is not None:
        layer.bias.copy_(torch.from_numpy(scale * probe.bias))
    right = float((scores.argmax(1) == labels).mean())
    return f'head: ridge regression on {sums.count:,} images, {100 * right:.1f} % of ' \
        f'{len(labels):,} right'


def _label(sample) -> int:
    label = sample.gt_label.tolist() if 'gt_label' in sample else []
    if len(label) != 1:
        raise ConfigError("`model.head_start` is 'probe', which fits single classes, and the "
                          'training images have none', hint='leave head_start out')
    return label[0]
