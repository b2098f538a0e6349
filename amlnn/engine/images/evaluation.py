"""Evaluating a classifier: metrics, mean loss and every image's probabilities in one pass."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import nn

from amlnn.atomic import replacing
from amlnn.engine.gathering import Gathering
from amlnn.engine.measured import numbers_and_arrays
from amlnn.quiet import quiet_imports

__all__ = ['Evaluation', 'classify', 'evaluate', 'is_plain', 'predict_from', 'write_predictions']


@dataclass
class Evaluation:
    """What one pass over a data set gives. N images, K classes.

    Of several processes the first one has all of it, the others the numbers alone.
    """

    metrics: dict[str, float]
    arrays: dict[str, list]
    """What metrics give that is no number, such as one value a class, as lists."""
    loss: float | None
    """Mean over images of the head's loss."""
    ids: list[str]
    labels: np.ndarray
    """int64 [N]; empty where the head is not a single-label classifier."""
    probabilities: np.ndarray
    """float32 [N, K]; empty likewise."""
    samples: int
    seconds: float


@torch.inference_mode()
def evaluate(model: nn.Module, dataloader, evaluator, context: Callable,
             on_batch: Callable[[int], None] = lambda samples: None,
             forward: Callable | None = None) -> Evaluation:
    """Run a model over a data set in eval mode.

    Args:
        model: An ImageClassifier, or what it is wrapped in.
        dataloader: Its data set yields MMPretrain's packed samples.
        evaluator: MMEngine's Evaluator.
        context: Makes the context of a forward pass, such as autocast.
        on_batch: Told the number of images after each batch.
        forward: Called with model, batch and context; gives predictions and loss. None is the
            model's own forward.
    """
    forward = forward or classify
    inner = model.module if is_model_wrapper(model) else model
    inner.eval()
    begin = time.perf_counter()
    gathering = Gathering(evaluator)
    for batch in dataloader:
        outputs, loss = forward(inner, batch, context)
        gathering.add(_of_batch(outputs, loss), outputs, batch)
        on_batch(len(outputs))
    batches = gathering.batches()
    rows = [row for rows, _ in batches for row in rows]

    def numbers() -> dict:
        metrics, arrays = numbers_and_arrays(gathering.measured(len(rows)))
        losses = [(loss, len(rows)) for rows, loss in batches if loss is not None]
        total = 0.0
        for loss, count in losses:
            total += loss * count
        return dict(metrics=metrics, arrays=arrays, samples=len(rows),
                    loss=total / sum(count for _, count in losses) if losses else None)

    known = gathering.processes.on_first(numbers)
    scored = [(label, scores) for _, label, scores in rows if label is not None]
    scored = scored if len(scored) == len(rows) else []
    return Evaluation(
        **known, ids=[str(place) if name is None else name
                      for place, (name, _, _) in enumerate(rows)],
        labels=np.array([label for label, _ in scored], np.int64),
        probabilities=np.array([scores for _, scores in scored], np.float32),
        seconds=time.perf_counter() - begin)


def _of_batch(outputs: list, loss: torch.Tensor | None
              ) -> tuple[list[tuple[str | None, int | None, np.ndarray | None]], float | None]:
    """Id, label and probabilities of each image, as far as there are any, and the mean loss."""
    rows = []
    for output in outputs:
        name = output.metainfo.get('id')
        row = None if name is None else str(name), None, None
        if 'gt_label' in output and 'pred_score' in output and len(output.gt_label) == 1:
            row = row[0], int(output.gt_label), output.pred_score.float().cpu().numpy()
        rows.append(row)
    return rows, None if loss is None else float(loss)


def write_predictions(path: Path, evaluation: Evaluation, classes: list[str]) -> bool:
    """Write `predictions_<split>.npz` (see amlnn.records); False if there is nothing to write."""
    if not len(evaluation.labels):
        return False
    with replacing(path) as temporary:
        np.savez_compressed(temporary, id=np.array(evaluation.ids), label=evaluation.labels,
                            prob=evaluation.probabilities, classes=np.array(classes))
    return True


def classify(model, batch, context, extract: Callable | None = None):
    """Predictions of a batch, and its loss where the model is a classifier whose head has one.

    Args:
        model: In eval mode.
        batch: As its data loader gives it.
        context: Makes the context of a forward pass.
        extract: What the head takes of preprocessed images, where the model's own `extract_feat`
            does not compute it.
    """
    if isinstance(model, BaseTTAModel):
        with context():
            return model.test_step(batch), None
    data = model.data_preprocessor(batch, False)
    inputs, samples = data['inputs'], data['data_samples']
    head = getattr(model, 'head', None)
    with context():
        if extract is None and (not hasattr(model, 'extract_feat') or not is_plain(head)):
            return model(inputs, samples, mode='predict'), None
        features = (extract or model.extract_feat)(inputs)
        if not is_plain(head):
            return head.predict(features, samples), None
    return predict_from(head, features, samples)


def predict_from(head: nn.Module, features, samples: list) -> tuple[list, torch.Tensor | None]:
    """Predictions and loss of a head's input, in float32.

    With the eight bits of bfloat16's mantissa, classes tie.
    """
    scores = head(_float(features))
    labelled = all('gt_label' in sample or 'gt_score' in sample for sample in samples)
    loss = _loss(head, scores, samples) if labelled else None
    return head._get_predictions(scores, samples), loss


def _loss(head: nn.Module, scores: torch.Tensor, samples: list) -> torch.Tensor:
    if getattr(head.loss_module, 'use_soft', False) and 'gt_score' not in samples[0]:
        # Such a loss takes what mixup makes of labels; nothing is mixed in validation.
        labels = torch.cat([sample.gt_label for sample in samples])
        target = nn.functional.one_hot(labels, scores.shape[1]).to(scores.dtype)
        return head.loss_module(scores, target, avg_factor=len(samples))
    if 'gt_score' in samples[0] and not samples[0].gt_score.is_floating_point():
        # Mixup makes one-hot labels of integers, which losses of probabilities do not take.
        target = torch.stack([sample.gt_score for sample in samples]).to(scores.dtype)
        return head.loss_module(scores, target, avg_factor=len(samples))
    return head._get_loss(scores, samples)['loss']


def _float(features):
    if isinstance(features, tuple | list):
        return type(features)(_float(feature) for feature in features)
    return features.float()


def is_plain(head) -> bool:
    """Whether loss and prediction are both functions of one tensor of scores."""
    with quiet_imports():  # not above: a forecast needs no MMPretrain
        from mmpretrain.models.heads import ClsHead, MultiLabelClsHead
    return any(type(head).loss is kind.loss and type(head).predict is kind.predict
               for kind in (ClsHead, MultiLabelClsHead) if isinstance(head, kind))
