"""Predicts the classes of image files."""

import copy
import glob
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import Compose, default_collate
from mmengine.registry import TRANSFORMS
from rich.console import Console
from torch import nn

from amlnn.command import shipped_config
from amlnn.config.kind import part_data_sets
from amlnn.console import say
from amlnn.engine.options import PredictOptions
from amlnn.engine.plan import Plan
from amlnn.engine.rehearsal import as_config_error
from amlnn.errors import CheckpointError, ConfigError, DataError, UsageError

__all__ = ['IMAGE_ENDINGS', 'Prediction', 'check_inputs', 'find_images', 'left_out', 'predict']

IMAGE_ENDINGS = ('.bmp', '.gif', '.jfif', '.jp2', '.jpe', '.jpeg', '.jpg', '.pbm', '.pgm', '.png',
                 '.pnm', '.ppm', '.tif', '.tiff', '.webp')

# How image files begin, whatever they are called.
_BEGINNINGS = (b'\xff\xd8\xff', b'\x89PNG', b'GIF8', b'BM', b'II*\0', b'MM\0*', b'RIFF',
               b'\0\0\0\x0cjP')
_NAMED_AT_MOST = 5

_BATCH = 32
_TOPK = 10


@dataclass
class Prediction:
    """The most probable classes of one image, best first."""

    path: str
    """As given, or below the given folder."""
    topk: list[dict]
    """[{'label': int, 'name': str, 'prob': float}, ...]"""
    rejected: bool | None = None
    """Whether the first is less probable than what was asked for; None where nothing was."""

    def as_json(self) -> str:
        """One JSON object."""
        return json.dumps({key: value for key, value in asdict(self).items() if value is not None},
                          ensure_ascii=False)

    def as_text(self) -> str:
        """The path, then names with their probabilities."""
        best = '  '.join(f'{each["name"]} {each["prob"]:.3f}' for each in self.topk)
        return f'{self.path}  unanswered: {best}' if self.rejected else f'{self.path}  {best}'


def check_inputs(options: PredictOptions) -> None:
    """Refuse what means nothing to a classifier, and inputs that are no images.

    Raises:
        AmlnnError: names the option or the input.
    """
    if options.out:
        raise UsageError('--out is for a forecaster', hint='keep the output with > FILE')
    if options.future:
        raise UsageError('--future is for a forecaster', hint='leave it out')
    if options.topk is not None and options.topk < 1:
        raise UsageError(f'--topk is {options.topk}', hint='at least 1')
    if options.reject_below is not None and not 0 < options.reject_below <= 1:
        raise UsageError(f'--reject-below is {options.reject_below:g}',
                         hint='a probability: more than 0, at most 1; the report of a run has some')
    find_images(options.inputs)


def predict(model: nn.Module, plan: Plan, names: Sequence[str] | None, options: PredictOptions,
            on_bad: Callable[[str, str], None]) -> Iterator[str]:
    """Predict image after image, in the order given; a line each.

    Args:
        model: In any mode.
        plan: Its plan, whose test pipeline reads the images.
        names: Of the classes, where they are known.
        options: What to predict.
        on_bad: Told the path and the reason of a file that cannot be read; the rest goes on.

    Raises:
        ConfigError: the config has no test pipeline.
        CheckpointError: the model gives no class scores.
    """
    images = find_images(options.inputs)
    pipeline = _pipeline(plan.config)
    if missing := left_out(options.inputs):
        say(Console(stderr=True), missing, 'note')
    topk = _TOPK if options.topk is None else options.topk
    model.eval()
    forward: Callable | None = None
    for start in range(0, len(images), _BATCH):
        shown, samples = [], []
        for path, file in images[start:start + _BATCH]:
            try:
                samples.append(pipeline({'img_path': str(file)}))
                shown.append(path)
            except Exception as error:
                on_bad(path, ' '.join(str(error).split()) or type(error).__name__)
        if samples:
            with as_config_error(f'predicting `{shown[0]}`'):
                # What computes is chosen on the first images, if there are many more.
                forward = forward or _forward(model, plan, samples, len(images))
                predictions = _predict_batch(model, forward, samples, shown, names, topk,
                                             plan.forward_context)
            for prediction in predictions:
                if options.reject_below is not None:
                    prediction.rejected = prediction.topk[0]['prob'] < options.reject_below
                yield prediction.as_json() if options.json else prediction.as_text()


def find_images(inputs: Sequence[str]) -> list[tuple[str, Path]]:
    """Files, folders (searched through) and globs as (path to show, file).

    Raises:
        DataError: an input names nothing, or a folder holds no image.
    """
    found: list[tuple[str, Path]] = []
    for given in inputs:
        path = Path(given)
        if path.is_file():
            found.append((given, path))
            continue
        if path.is_dir():
            files = [file for file in _files_below(path) if _may_be_image(file)]
            matches = [(file.relative_to(path).as_posix(), file) for file in files]
            empty = f'the folder `{given}` holds no image'
        else:
            files = sorted(Path(name) for name in glob.glob(given, recursive=True))
            matches = [(str(file), file) for file in files if file.is_file()]
            empty = f'no file, folder or glob `{given}`'
        if not matches:
            raise DataError(empty, hint=f'images end in {", ".join(IMAGE_ENDINGS)}')
        found.extend(matches)
    return found


def left_out(inputs: Sequence[str]) -> str | None:
    """The files of folders that nobody predicts, counted and named; None if there are none."""
    names = [file.relative_to(given).as_posix() for given in inputs if Path(given).is_dir()
             for file in _files_below(Path(given)) if not _may_be_image(file)]
    if not names:
        return None
    more = f' and {len(names) - _NAMED_AT_MOST} more' if len(names) > _NAMED_AT_MOST else ''
    what = 'files are' if len(names) > 1 else 'file is'
    return f'{len(names)} {what} left out, since OpenCV reads no such images: ' \
           f'{", ".join(names[:_NAMED_AT_MOST])}{more}'


def _files_below(folder: Path) -> list[Path]:
    """Without hidden ones, which systems leave behind."""
    return sorted(file for file in folder.rglob('*') if file.is_file()
                  and not any(part.startswith('.') for part in file.relative_to(folder).parts))


def _may_be_image(file: Path) -> bool:
    if file.suffix.lower() in IMAGE_ENDINGS:
        return True
    try:
        with open(file, 'rb') as opened:
            return opened.read(8).startswith(_BEGINNINGS)
    except OSError:
        return False


def _forward(model: nn.Module, plan: Plan, samples: list[dict], count: int) -> Callable:
    """Predictions of preprocessed images and their samples."""
    from amlnn.engine.images.fast_inference import InferenceImages, fast_backbone
    fast = fast_backbone(plan, model, InferenceImages(plan, model, lambda: samples, count),
                         Console(stderr=True))
    return fast.predict if fast else partial(model, mode='predict')


@torch.no_grad()
def _predict_batch(model, forward, samples, shown, names, topk, context) -> list[Prediction]:
    groups: dict[tuple, list[int]] = {}
    for index, sample in enumerate(samples):  # pipelines without a crop give several sizes
        groups.setdefault(tuple(sample['inputs'].shape), []).append(index)
    results: dict[int, np.ndarray] = {}
    for members in groups.values():
        batch = default_collate([samples[index] for index in members])
        data = model.data_preprocessor(batch, False)
        with context():
            outputs = forward(data['inputs'], data['data_samples'])
        for index, output in zip(members, outputs, strict=True):
            if 'pred_score' not in output:
                raise CheckpointError('this model gives no class scores',
                                      hint='predict works with classifiers')
            results[index] = output.pred_score.float().cpu().numpy()
    found = []
    for index, path in enumerate(shown):
        scores = results[index]
        best = np.argsort(-scores, kind='stable')[:topk]
        found.append(Prediction(path, [
            {'label': int(label), 'name': str(names[label]) if names else str(label),
             'prob': round(float(scores[label]), 6)} for label in best]))
    return found


def _pipeline(config) -> Compose:
    for part in ('test', 'val'):
        for leaf in part_data_sets(config, part):
            if leaf.get('pipeline'):
                steps = copy.deepcopy(list(leaf['pipeline']))
                if not any(step['type'].rpartition('.')[2].startswith('Load') for step in steps):
                    steps.insert(0, dict(type='LoadImageFromFile'))  # its data set gives pixels
                with as_config_error(f'`{part}_dataloader.dataset.pipeline`'):
                    return Compose([TRANSFORMS.build(step) for step in steps])
    raise ConfigError('the config has no test pipeline', hint='inherit a base from '
                      f'{shipped_config("configs/_base_/datasets")}')
