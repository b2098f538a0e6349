"""The features of the images of any folder, from a config's backbone or from its cache."""

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amlnn.config.data_place import data_option
from amlnn.config.kind import PARTS, part_data_sets
from amlnn.config.load import LoadedConfig, load_config
from amlnn.data.prepare.inspect import RawImage
from amlnn.doctor.files import Files
from amlnn.errors import ConfigError
from amlnn.user_cache import cache_folder, write_cached

__all__ = ['CONFIG', 'ImageFeatures', 'compute_features']

CONFIG = 'amlnn::backbones/efficientnet_lite0_frozenall.py'
"""Whose backbone looks at images where nobody names another; its weights came with the package."""

_LISTS = 'lists'
_MOST_COLUMNS = 2048


@dataclass(frozen=True)
class ImageFeatures:
    """What a backbone makes of every image."""

    values: np.ndarray
    """float32 [N, C], row i of image i; a file without a name where it is large."""
    computed: int
    """Images that were not in the cache."""
    notes: list[str]


def compute_features(files: Files, config: Path | str, device: str,
                     on_batch: Callable[[int, int], None]) -> ImageFeatures:
    """Features of all images of a folder, as they are tested: no augmentation, whatever the part.

    Those of a prepared data set are in the cache under the names that a training or a probe finds
    them by.

    Args:
        files: The folder; none of its images is damaged.
        config: Whose backbone, weights and evaluation pipeline are taken.
        device: 'auto', 'cpu' or 'cuda'.
        on_batch: Told how many images are done, and of how many.

    Raises:
        AmlnnError: the config cannot be used, or a feature is not finite.
    """
    loaded = load_config(config)
    # Brings in torch; a slip in the config is told before.
    from amlnn.data.cache.room import HELD, room
    from amlnn.engine.device import choose_device
    from amlnn.engine.images.feature_pass import FeaturePass, PartFeatures
    from amlnn.engine.images.task import KnownClasses
    from amlnn.engine.kinds import open_task
    parts = _own_parts(files, loaded)
    if parts:
        loaded = load_config(config, data_option(files.root))
    else:
        _take_list(loaded, files)
    task = open_task(loaded, choose_device(device), known=KnownClasses(list(files.classes)))
    one, total = FeaturePass(task), len(files.images)
    found: list[PartFeatures] = []
    for part in parts or ['train']:
        def tell(count: int, _: int, before: int = sum(len(each.ids) for each in found)) -> None:
            on_batch(before + count, total)

        found.append(one.of(part, every_stage=True, on_batch=tell))
    places = {image.path: place for place, image in enumerate(files.images)}
    columns = _columns({name: stage.shape[1] for name, stage in found[0].stages.items()})
    width = max(each.stop for each in columns.values())
    values_NC = room(total, width, 4 * total * width <= HELD)
    for each in found:
        rows = [places[name] for name in each.ids]
        for name, place in columns.items():
            values_NC[rows, place] = each.stages[name]
    return ImageFeatures(values_NC, sum(each.computed for each in found),
                         list(dict.fromkeys(note for each in found for note in each.notes)))


def _columns(widths: dict[str, int]) -> dict[str, slice]:
    """Where the numbers of the stages are: of the last, and of those before while they are few.

    Earlier stages see colour and texture, which the last has forgotten in part: on the flowers they
    bring one to two points.
    """
    found: dict[str, slice] = {}
    for name, width in reversed(widths.items()):
        begin = max((each.stop for each in found.values()), default=0)
        if found and begin + width > _MOST_COLUMNS:
            break
        found[name] = slice(begin, begin + width)
    return found


def _own_parts(files: Files, loaded: LoadedConfig) -> list[str]:
    """The parts of a prepared data set, where they are just the images that can be read."""
    leaves = [leaf for part in PARTS for leaf in part_data_sets(loaded.config, part)]
    if not files.prepared or any(leaf.get('type') != 'ImageNetFolder' for leaf in leaves):
        return []
    if any(problem.kind in ('no-file', 'list-label', 'row-twice', 'unlisted', 'changed')
           for problem in files.problems) or files.damaged:
        return []
    parts = [part for part in PARTS if any(image.part == part for image in files.images)]
    return parts if all(part_data_sets(loaded.config, part) for part in parts) else []


def _take_list(loaded: LoadedConfig, files: Files) -> None:
    """Have every part of a config be the readable images of a folder, in their order.

    Raises:
        ConfigError: it has no pipeline by which images are tested.
    """
    leaves = part_data_sets(loaded.config, 'val')
    if not leaves:
        raise ConfigError(f'`{loaded.path}` has no `val_dataloader`, by whose pipeline images are '
                          'seen as they are tested', hint='name another with --config')
    section = dict(type='mmpretrain.CustomDataset', data_root=str(files.root.absolute()),
                   ann_file=str(_write_list(files.images, files.classes)),
                   metainfo=dict(classes=list(files.classes)), pipeline=leaves[0].get('pipeline'))
    for part in PARTS:
        if loaded.config.get(f'{part}_dataloader'):
            loaded.config[f'{part}_dataloader']['dataset'] = section


def _write_list(images: Sequence[RawImage], classes: Sequence[str]) -> Path:
    """A list file of images, in a place that is the same for the same list: caches ask for it."""
    numbers = {name: number for number, name in enumerate(classes)}
    text = ''.join(f'{image.path} {numbers[image.class_name]}\n' for image in images)
    name = f'{hashlib.sha256(text.encode()).hexdigest()}.txt'
    write_cached(_LISTS, name, text)
    path = cache_folder() / _LISTS / name
    if path.is_file():
        return path
    # The cache cannot be used; then features are computed anew every time.
    path = Path(tempfile.mkdtemp(prefix='amlnn-doctor-')) / name
    path.write_text(text, encoding='utf-8')
    return path
