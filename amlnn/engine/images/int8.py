"""Whether a trunk in 8 bits says of images what it says in floating point, asked before its use."""

import numpy as np
import torch
from mmengine.dataset import default_collate
from torch import Tensor, nn

from amlnn.data.images.views import View
from amlnn.engine.rehearsal import kept_generators
from amlnn.errors import ConfigError, DataError
from amlnn.models.images.int8_trunk import Int8Trunk

__all__ = ['calibration_images', 'judge']

_IMAGES = 256  # to calibrate on, and as many others to judge by
_FEWEST = 16
_LEAST_COSINE = 0.99
_LEAST_AGREEMENT = 0.85
"""Heads that are fitted to so few images leave many close calls, which any rounding turns: on 256
photographs of five kinds of flowers ResNet50's agree in 92 %, and are right as often."""


def calibration_images(model: nn.Module, dataset) -> tuple[Tensor, Tensor, list[int] | None]:
    """Training images to calibrate on, others to judge by, and the classes of all of them in turn.

    Args:
        model: Whose data preprocessor they go through.
        dataset: Of training; its items are views.

    Returns:
        Two batches, and a label an image; None where one has several.

    Raises:
        DataError: there are too few.
    """
    count = min(_IMAGES, len(dataset) // 2)
    if count < _FEWEST:
        raise DataError(f"{len(dataset)} training images are too few for "
                        "`execution.trunk_precision='int8'`",
                        hint=f'{2 * _FEWEST} are needed; leave trunk_precision out')
    chosen = np.random.default_rng(0).permutation(len(dataset))[:2 * count].tolist()
    with kept_generators():
        batch = default_collate([dataset[View(index, 0)] for index in chosen])
        labels = [sample.gt_label.tolist() if 'gt_label' in sample else []
                  for sample in batch['data_samples']]
        images = model.data_preprocessor(batch, False)['inputs']
    single = all(len(each) == 1 for each in labels)
    return images[:count], images[count:], [each[0] for each in labels] if single else None


def judge(trunk: Int8Trunk, calibration_BCHW: Tensor, others_BCHW: Tensor,
          labels: list[int] | None) -> str:
    """What 8 bits change on images that the trunk was not calibrated on, in words.

    The cosine of an image's features in 8 bits to those in floating point, averaged; and the share
    of images of which two linear classifiers say the same, one fitted to the features of the
    calibration images in 8 bits and the other to those in floating point.

    Raises:
        ConfigError: that is too much.
    """
    plain, other = _vectors(trunk.plain, others_BCHW), _vectors(trunk, others_BCHW)
    cosine = float(nn.functional.cosine_similarity(plain, other).mean())
    said, enough = f'cosine to floating point {cosine:.4f}', cosine >= _LEAST_COSINE
    if labels is not None and len(set(labels[:len(calibration_BCHW)])) > 1:
        heads = [_head(_vectors(run, calibration_BCHW), labels[:len(calibration_BCHW)])
                 for run in (trunk.plain, trunk)]
        decisions = [head.predict(vectors.numpy())
                     for head, vectors in zip(heads, (plain, other), strict=True)]
        agreement = float(np.mean(decisions[0] == decisions[1]))
        right = [float(np.mean(each == labels[len(calibration_BCHW):])) for each in decisions]
        said += (f', decisions agree on {agreement:.1%} and are right on {right[1]:.1%}, '
                 f'{right[0]:.1%} in floating point')
        enough = enough and agreement >= _LEAST_AGREEMENT
    said = f'on {len(others_BCHW)} other training images: {said}'
    if not enough:
        raise ConfigError(
            f'8 bits change too much, {said}; at least {_LEAST_COSINE} and {_LEAST_AGREEMENT:.0%} '
            'are asked for', hint='leave execution.trunk_precision out')
    return said


@torch.no_grad()
def _vectors(run, images_BCHW: Tensor) -> Tensor:
    """One vector an image: features averaged over positions."""
    features = torch.cat([run(part).float() for part in images_BCHW.split(32)])
    return features.mean((2, 3)) if features.ndim == 4 else features.flatten(1)


def _head(vectors: Tensor, labels: list[int]):
    # Few trainings are in 8 bits, and the others do not wait for the import.
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    head = make_pipeline(StandardScaler(), RidgeClassifierCV(alphas=np.logspace(0, 5, 11)))
    return head.fit(vectors.numpy(), labels)
