"""What is asked of a kind of data set before one is opened: classes, parts, content, where from.

A registered data set class answers for its own files by deriving from `Layout`.
"""

import hashlib
import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from mmengine.registry import DATASETS

from amlnn.data.prepare.manifest import manifest_hash
from amlnn.foreign_texts import read_lines

__all__ = ['Layout', 'choices_of', 'data_hash', 'layout_of', 'read_classes']

_CHOICES = ('holdout', 'subset', 'seed', 'labels')


def read_classes(data_root: Path | str) -> list[str] | None:
    """Class names of a data set in order of their numbers, or None if it has no classes.txt."""
    path = Path(data_root) / 'classes.txt'
    if not path.is_file():
        return None
    hint = f'python data_preprocess.py <folder of class folders> {data_root}'
    return [line for line in read_lines(path, hint) if line.strip()]


class Layout:
    """The layout that `data_preprocess.py` writes, which other data sets are taken for too.

    Attributes:
        classes_file: The file below the data root that says what the classes are.
        label_choices: What `labels` can be, the default first.
    """

    classes_file = 'classes.txt'
    label_choices: tuple[str, ...] = ()

    @classmethod
    def find_classes(cls, data_root: str, **choices) -> list[str] | None:
        """Class names in order of their numbers; None if `classes_file` is not there.

        Args:
            data_root: The folder.
            choices: Those of `holdout`, `subset`, `seed`, `labels` that a config sets.

        Raises:
            DataError: the files that name them are damaged.
        """
        return read_classes(data_root)

    @classmethod
    def find_parts(cls, data_root: str, **choices) -> tuple[str, ...] | None:
        """Those of 'train', 'val' and 'test' that there are labels for; None if nobody knows."""
        return None

    @classmethod
    def content_hash(cls, data_root: str) -> str | None:
        """What names the content of all its parts; None where nothing does."""
        return manifest_hash(data_root)

    @classmethod
    def how_to_get(cls, data_root: str) -> str:
        """The command that makes the data set."""
        return f'python data_preprocess.py <folder of class folders> {shlex.quote(str(data_root))}'


def layout_of(section: Mapping) -> type[Layout]:
    """The layout of a config's data set, by its `type`; its class has to be registered by now."""
    with DATASETS.switch_scope_and_registry(None) as registry:
        kind = registry.get(str(section.get('type')))
    return kind if isinstance(kind, type) and issubclass(kind, Layout) else Layout


def choices_of(section: Mapping) -> dict:
    """What a config's data set says about which of the images it takes, and by which labels."""
    return {name: section[name] for name in _CHOICES if section.get(name) is not None}


def data_hash(section: Mapping) -> str | None:
    """What names the images and labels of a config's data set in records; None if nothing does.

    It is that of the content alone where a config takes all of it as it comes.
    """
    root, layout = section.get('data_root'), layout_of(section)
    content = layout.content_hash(str(root)) if root else None
    choices = {name: value for name, value in choices_of(section).items()
               if name != 'seed' and value and value not in layout.label_choices[:1]}
    if content is None or not choices:
        return content
    choices['seed'] = section.get('seed', 0) if set(choices) != {'labels'} else 0
    return hashlib.sha256(json.dumps([content, choices], sort_keys=True).encode()).hexdigest()
