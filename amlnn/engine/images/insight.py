"""What a classifier looked at in its worst mistakes, and how its features lie to one another."""

# B images, C channels, H height, W width of a feature map, N images, D numbers of a feature

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from amlnn.data.images.views import View
from amlnn.engine.images.evaluation import Evaluation
from amlnn.errors import ConfigError
from amlnn.formulas.principal import principal_components

__all__ = ['grad_cam', 'insight']

_MISTAKES = 12
_IMAGES = 4000  # of the map: more would hide one another
_SIDE = 224  # pixels of a view that is kept, at most
_BATCH = 32


def insight(model: nn.Module, loader: DataLoader, evaluation: Evaluation,
            context: Callable[[], AbstractContextManager],
            on_batch: Callable[[int], None] = lambda images: None) -> dict[str, np.ndarray]:
    """Arrays for the report: a map of features, and where the network looked.

    Args:
        model: An ImageClassifier, in any mode.
        loader: Of the images.
        evaluation: Of the model on them.
        context: Makes the context of a forward pass.
        on_batch: Told the number of images after each batch.

    Returns:
        Of the map of M images `map_id`, `map_label`, `map_predicted` [M], `map_pca` [M, 2] float32,
        `map_variance` [2], the shares of the features' variance, and `map_umap` [M, 2] where UMAP
        is installed; of the S surest mistakes `seen_id`, `seen_label`, `seen_predicted` [S],
        `seen_view` [S, H, W, 3] uint8, what the network was given, in RGB, and `seen_for_predicted`
        and `seen_for_label` [S, h, w], 0 to 1: how much a place spoke for a class. These are left
        out where the backbone gives no feature maps, or no image was mistaken.

    Raises:
        ConfigError: the model is no classifier, or images have no single label.
    """
    if not hasattr(model, 'extract_feat') or not len(evaluation.labels):
        raise ConfigError(f'{type(model).__name__} is no classifier of images with one label each',
                          hint='leave --explain out')
    model.eval()
    known = {name: place for place, name in enumerate(evaluation.ids)}
    predicted = evaluation.probabilities.argmax(axis=1)
    chosen = np.unique(np.linspace(0, len(loader.dataset) - 1, _IMAGES).round().astype(int))
    features, ids = [], []
    for first in range(0, len(chosen), _BATCH):
        batch = _batch(loader, chosen[first:first + _BATCH])
        with context(), torch.inference_mode():
            features.append(_vectors(model, _inputs(model, batch)))
        ids += [str(sample.metainfo['id']) for sample in batch['data_samples']]
        on_batch(len(batch['data_samples']))
    places = np.array([known[name] for name in ids])
    found = _map(np.concatenate(features))
    found |= {'map_id': np.array(ids), 'map_label': evaluation.labels[places],
              'map_predicted': predicted[places]}
    return found | _mistakes(model, loader, evaluation, predicted)


def grad_cam(model: nn.Module, images_BCHW: Tensor, classes: Sequence[int]) -> Tensor | None:
    """How much every place of the last feature map spoke for a class, [B, H, W], at most 1.

    Args:
        model: An ImageClassifier in eval mode.
        images_BCHW: Preprocessed.
        classes: Of each image, the class that is asked about.

    Returns:
        None where the backbone gives no feature map, or the head no scores of classes.

    Source: R. R. Selvaraju et al., Grad-CAM: visual explanations from deep networks via
    gradient-based localization, ICCV 2017, equations 1 and 2.
    """
    with torch.no_grad():
        outputs = model.backbone(images_BCHW)
    outputs = outputs if isinstance(outputs, tuple) else (outputs, )
    if not isinstance(outputs[-1], Tensor) or outputs[-1].ndim != 4:
        return None
    with torch.enable_grad():
        map_BCHW = outputs[-1].detach().float().requires_grad_(True)
        given = (*outputs[:-1], map_BCHW)
        scores = model.head(model.neck(given) if model.with_neck else given)
        if not isinstance(scores, Tensor) or scores.ndim != 2:
            return None
        own = scores[torch.arange(len(scores)), torch.as_tensor(classes, device=scores.device)]
        slope_BCHW, = torch.autograd.grad(own.sum(), map_BCHW)
    weight_BC11 = slope_BCHW.mean(dim=(2, 3), keepdim=True)
    seen_BHW = (weight_BC11 * map_BCHW.detach()).sum(1).relu()
    return seen_BHW / seen_BHW.amax(dim=(1, 2), keepdim=True).clamp_min(1e-12)


def _mistakes(model: nn.Module, loader: DataLoader, evaluation: Evaluation,
              predicted: np.ndarray) -> dict[str, np.ndarray]:
    wrong = np.flatnonzero(predicted != evaluation.labels)
    sure = evaluation.probabilities[wrong, predicted[wrong]]
    worst = wrong[np.argsort(-sure, kind='stable')[:_MISTAKES]]
    if not len(worst):
        return {}
    wanted = {evaluation.ids[place]: place for place in worst}
    index = {name: number for number in range(len(loader.dataset))
             if (name := loader.dataset.key(number)) in wanted}
    views, maps = [], []
    for name, place in wanted.items():
        batch = _batch(loader, [index[name]])
        views.append(_view(batch['inputs'][0]))
        # In float32, one by one: images may come in several sizes.
        seen = grad_cam(model, torch.cat(2 * [_inputs(model, batch).float()]),
                        [int(predicted[place]), int(evaluation.labels[place])])
        if seen is None:
            return {}
        maps.append(seen.cpu().numpy().astype(np.float16))
    if len({each.shape for each in views}) > 1:
        return {}
    by_class = np.stack(maps)
    return {'seen_id': np.array(list(wanted)), 'seen_label': evaluation.labels[worst],
            'seen_predicted': predicted[worst], 'seen_view': np.stack(views),
            'seen_for_predicted': by_class[:, 0], 'seen_for_label': by_class[:, 1]}


def _batch(loader: DataLoader, indices: Sequence[int]) -> dict:
    return loader.collate_fn([loader.dataset[View(int(index), 0)] for index in indices])


def _inputs(model: nn.Module, batch: dict) -> Tensor:
    return model.data_preprocessor(batch, False)['inputs']


def _vectors(model: nn.Module, images_BCHW: Tensor) -> np.ndarray:
    """What the head takes, as vectors [B, D]: the mean over places of what is a map."""
    features = model.extract_feat(images_BCHW)
    while isinstance(features, tuple | list):
        features = features[-1]
    features = features.float()
    if features.ndim == 3:  # tokens
        features = features.mean(dim=1)
    return features.flatten(2).mean(2).cpu().numpy() if features.ndim > 2 \
        else features.cpu().numpy()


def _map(features_ND: np.ndarray) -> dict[str, np.ndarray]:
    points, variance = principal_components(features_ND, 2)
    found = {'map_pca': points.astype(np.float32), 'map_variance': variance}
    if find_spec('umap') is not None and len(features_ND) > 15:
        from umap import UMAP
        found['map_umap'] = UMAP(random_state=0).fit_transform(features_ND).astype(np.float32)
    return found


def _view(image_CHW: Tensor) -> np.ndarray:
    """What a pipeline gave, as pixels [H, W, 3] in RGB: its own where they are bytes, in BGR."""
    pixels = image_CHW.cpu().float()
    if image_CHW.dtype != torch.uint8:  # a pipeline that normalises; its colours are not known
        low, high = pixels.min(), pixels.max()
        pixels = 255 * (pixels - low) / (high - low).clamp_min(1e-12)
    pixels = pixels.flip(0) if len(pixels) == 3 else pixels[:1].expand(3, -1, -1)
    step = -(-max(pixels.shape[1:]) // _SIDE)
    return pixels[:, ::step, ::step].permute(1, 2, 0).round().byte().numpy()
