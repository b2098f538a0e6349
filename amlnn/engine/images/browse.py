"""What a classifier is given: views of images beside the originals, mixed batches, classes."""

import copy
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from amlnn.browsed import ClassShare, Given, MixedImage, ShownImage
from amlnn.data.images.pixels import read_pixels
from amlnn.data.images.views import View, ViewDataset

__all__ = ['given_images']

# B images, H, W pixels, C channels, K classes

_SHOWN_SHARE = 0.005  # of a class in a mixture, below which it is left out


def given_images(model: nn.Module, loader: DataLoader, classes: Sequence[str], count: int,
                 views: int) -> Given:
    """Images as a network is given them.

    Args:
        model: The classifier, for its data preprocessor.
        loader: Of the training part, whose items are views.
        classes: The names of the classes.
        count: How many images.
        views: How many views of each.
    """
    notes: list[str] = []
    pixels = _Pixels(model.data_preprocessor, _is_rgb(loader.dataset), notes)
    images = [_shown(loader.dataset, place, views, pixels, classes)
              for place in _spread(len(loader.dataset), count)]
    loader.sampler.set_epoch(0)
    batch = next(iter(loader))
    labels = [_labels(sample) for sample in batch['data_samples']]
    shares = _class_shares(loader, labels, classes)
    return Given(images, _mixed(model, batch, pixels, classes, count, notes), shares,
                 len(labels), notes=notes)


class _Pixels:
    """Brings what a preprocessor gives back to pixels: uint8 [H, W, 3] RGB.

    Args:
        preprocessor: Of the model.
        rgb: Whether the pipeline's images are RGB already.
        notes: Gets a line for what cannot be brought back.
    """

    def __init__(self, preprocessor: nn.Module, rgb: bool, notes: list[str]):
        self.preprocessor, self.notes = preprocessor, notes
        self.rgb = rgb != bool(getattr(preprocessor, 'to_rgb', False))
        if not self.rgb:
            why = 'the pipeline gives RGB, and data_preprocessor.to_rgb=True turns it' if rgb else \
                'data_preprocessor.to_rgb=False'
            notes.append(f'the network is given blue, green, red: {why}')

    def of(self, inputs_BCHW: Tensor) -> list[np.ndarray]:
        """Of a preprocessed batch."""
        values = inputs_BCHW.detach().float().cpu()
        mean, std = (getattr(self.preprocessor, name, None) for name in ('mean', 'std'))
        if isinstance(mean, Tensor) and isinstance(std, Tensor):
            values = values * std.float().cpu() + mean.float().cpu()
        values = self._stretched(values)
        if values.shape[1] == 1:
            values = values.expand(-1, 3, -1, -1)
        elif not self.rgb:
            values = values.flip(1)
        return list(values[:, :3].clamp(0, 255).round().byte().permute(0, 2, 3, 1).numpy())

    def _stretched(self, values_BCHW: Tensor) -> Tensor:
        """Numbers of a pipeline's own scale, between the least and the largest of the batch."""
        low, high = float(values_BCHW.min()), float(values_BCHW.max())
        if low >= -1 and 2 < high < 256:
            return values_BCHW
        note = 'the pipeline scales pixels itself: shown from the least value to the largest'
        if note not in self.notes:
            self.notes.append(note)
        return (values_BCHW - low) * (255 / max(high - low, 1e-9))


def _is_rgb(dataset: ViewDataset) -> bool:
    """Whether a pipeline ends in RGB; OpenCV's images begin as BGR."""
    rgb = False
    for step in getattr(getattr(dataset.leaves[0], 'pipeline', None), 'transforms', ()):
        rgb = (rgb or bool(getattr(step, 'to_rgb', False))) and not getattr(step, 'to_bgr', False)
    return rgb


def _spread(total: int, count: int) -> list[int]:
    count = min(count, total)
    return [place * total // count for place in range(count)]


def _shown(dataset: ViewDataset, place: int, views: int, pixels: _Pixels,
           classes: Sequence[str]) -> ShownImage:
    packed = [dataset[View(place, view)] for view in range(views)]
    labels = _labels(packed[0]['data_samples'])
    shown = [pixels.of(_prepared(pixels.preprocessor, each['inputs']))[0] for each in packed]
    return ShownImage(dataset.key(place), ', '.join(_name(label, classes) for label in labels),
                      _original(dataset.get_data_info(place)), shown)


def _prepared(preprocessor: nn.Module, inputs: Tensor) -> Tensor:
    return preprocessor({'inputs': inputs[None]}, False)['inputs']


def _original(info: dict) -> np.ndarray | None:
    """The pixels as they are stored: uint8 [H, W, 3] RGB."""
    image = info.get('img')
    if image is None:
        try:
            image = read_pixels(Path(info['img_path']).read_bytes())
        except Exception:  # whatever is wrong with it is told where it is trained on
            return None
    return None if image is None else np.ascontiguousarray(np.asarray(image)[:, :, ::-1])


def _labels(sample) -> list[int]:
    return sample.gt_label.tolist() if 'gt_label' in sample else []


def _name(label: int, classes: Sequence[str]) -> str:
    return classes[label] if label < len(classes) else str(label)


def _class_shares(loader: DataLoader, batch: list[list[int]],
                  classes: Sequence[str]) -> list[ClassShare]:
    """Images of each class in the part, in the first epoch and in its first batch."""
    dataset = loader.dataset
    of_image = [_as_list(dataset.get_data_info(place).get('gt_label'))
                for place in range(len(dataset))]
    part = _counted(of_image)
    loader.sampler.set_epoch(0)
    epoch = _counted(of_image[View(*view).index] for view in loader.sampler)
    first = _counted(batch)
    names = classes or [str(number) for number in range(max(part, default=-1) + 1)]
    return [ClassShare(name, part[number], epoch[number], first[number])
            for number, name in enumerate(names)]


def _counted(labels: Iterable[list[int]]) -> Counter[int]:
    return Counter(label for each in labels for label in each)


def _as_list(label) -> list[int]:
    if label is None:
        return []
    return [int(each) for each in np.atleast_1d(np.asarray(label))]


def _mixed(model: nn.Module, batch: dict, pixels: _Pixels, classes: Sequence[str], count: int,
           notes: list[str]) -> list[MixedImage]:
    """The first images of a batch behind its augmentations; none where a batch has no such."""
    preprocessor = model.data_preprocessor
    if hasattr(getattr(model, 'head', None), 'feature_augment'):
        notes.append('FeatureMixup mixes what the backbone makes of images: there is no picture of '
                     'it')
    if not getattr(preprocessor, 'batch_augments', None):
        return []
    with torch.no_grad():
        given = preprocessor(copy.deepcopy(batch), True)
    shown = pixels.of(given['inputs'][:count])
    return [MixedImage(each, _mixture(sample.gt_score, classes))
            for each, sample in zip(shown, given['data_samples'], strict=False)]


def _mixture(scores_K: Tensor, classes: Sequence[str]) -> str:
    order = scores_K.argsort(descending=True).tolist()
    return ', '.join(f'{_name(label, classes)} {100 * float(scores_K[label]):.0f} %'
                     for label in order if scores_K[label] > _SHOWN_SHARE)
