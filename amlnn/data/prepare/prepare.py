"""A raw folder of class folders becomes a data set in ImageNet format, through BaseDT.

BaseDT's `make_dataset` deletes its output folder before it reads the source, shuffles the order in
which the disk lists files with the global `random`, rounds down and sends what is left over to a
test set, follows the line order of classes.txt, writes in the locale's encoding, and breaks on
files it does not expect. Here it gets nothing that could go wrong: a staged folder of links to the
accepted images under plain names, one run for each split with the ratio 1 for that split, in a work
folder. Every file and label it wrote is compared with what was inspected, gets its name back, and
the whole is renamed into place.
"""

import contextlib
import dataclasses
import hashlib
import io
import os
import random
import shutil
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import amlnn
from amlnn.atomic import fsync_path, link_or_copy
from amlnn.data.prepare.accept import Accepted, Refused, accept, open_any
from amlnn.data.prepare.archives import is_archive
from amlnn.data.prepare.choices import Choices, make_choices
from amlnn.data.prepare.inspect import RawImage, in_threads, os_name
from amlnn.data.prepare.kinds import PIXEL_LIMIT
from amlnn.data.prepare.manifest import (
    SPLIT_FOLDERS,
    ImageRecord,
    Manifest,
    images_hash,
    write_manifest,
)
from amlnn.data.prepare.summary import print_problems, print_result
from amlnn.errors import DataError, RunFailed, UsageError
from amlnn.folder_swap import replacing_folder

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ['prepare']

@dataclass(frozen=True)
class _Staged:
    """An image under the names BaseDT sees, which no locale or file system can get wrong."""

    image: RawImage
    split: str
    label: int
    folder: str
    file: str


def prepare(source: Path | str, target: Path | str, *, train_ratio: float = 0.8,
            val_ratio: float = 0.2, test_ratio: float = 0.0, seed: int = 0,
            overwrite: bool = False, on_bad: str = 'fail', on_duplicate: str = 'drop',
            on_loss: str = 'fail', labels: Path | str | None = None,
            image_column: str | None = None, label_column: str | None = None,
            nested: str | None = None, group_by: str | None = None,
            pixel_limit: int = PIXEL_LIMIT, fixes: Path | str | None = None,
            console: 'Console | None' = None) -> Manifest:
    """Convert the folder of class folders `source` into the data set `target`.

    Every image is decoded first. `target` appears whole or not at all, and `source` is only read.

    Args:
        source: Holds a folder of images for each class; or parts (train, val, test) that do, whose
            split is kept; or, with `labels`, images. Or an archive of such a folder.
        target: The data set's folder. `amlnn.data.prepare.manifest` describes what is in it.
        train_ratio: Share of the training set; above 0.
        val_ratio: Share of the validation set; at 0 there is none.
        test_ratio: Share of the test set; at 0 there is none. The three sum to 1. Of a source that
            is split already they say what is taken out of its train for a part that it lacks.
        seed: The same source and seed give the same split on any machine.
        overwrite: Replace the data set that is at `target`.
        on_bad: What to do if a file cannot be used for training: 'fail', or 'skip' the file.
        on_duplicate: What to do with copies of an image: 'fail'; 'drop' all but the first of a
            class, and all that lie in several classes, because nobody knows which label is right;
            or 'keep' them, together in one split. Of copies in several parts of a source those
            in test, then val, come first. Near copies (saved again, resized) are never dropped, but
            kept together in one split; 'fail' stops at them too.
        on_loss: What to do with images of which training would lose something: 'fail'; 'skip'
            them; 'convert' them to 8-bit PNG; or 'keep' them as they are.
        labels: A CSV file that names the images and their classes.
        image_column: Its column of the images' names; None finds it.
        label_column: Its column of the classes; None finds it.
        nested: What the class is of an image in folders inside folders: the innermost ('leaf'), all
            their names ('join'), the outermost ('top'); None refuses such folders.
        group_by: A column of the table, or a regular expression for the path below the source:
            images for which its group is the same are never divided between splits.
        pixel_limit: Images of more pixels are files that cannot be used.
        fixes: A table of images that get another class, or are left out; see
            `amlnn.data.prepare.fixes`. They are among the manifest's problems.
        console: Where to print; None is standard output.

    Returns:
        The manifest that was written.

    Raises:
        UsageError: the ratios are no shares of a whole, or a choice is unknown.
        DataError: `source` or `target` cannot be used; the message says why.
        RunFailed: BaseDT did not write what it was given.
    """
    from rich.console import Console
    console = console or Console()
    choices = make_choices(
        train_ratio=train_ratio, val_ratio=val_ratio, test_ratio=test_ratio, seed=seed,
        on_bad=on_bad, on_duplicate=on_duplicate, on_loss=on_loss, labels=labels,
        image_column=image_column, label_column=label_column, nested=nested, group_by=group_by,
        pixel_limit=pixel_limit, fixes=fixes)
    if not str(source) or not str(target):  # Path('') is the current folder: a variable not set
        raise UsageError('SRC or DST is empty', hint='python data_preprocess.py --help')
    source, target = Path(source), Path(target)
    try:
        opened = None if is_archive(source) else open_any(source, choices)
        _refuse_nested(source, target)
        with replacing_folder(target.resolve(), overwrite, _is_prepared) as work:
            opened = opened or open_any(source, choices, work / 'unpacked')
            accepted = accept(source, opened, choices, work, console)
            _check_space(work, accepted.images)
            manifest = _write(work, accepted, choices, console)
            write_manifest(work / 'new', manifest)
            _fsync_folders(work / 'new')
    except Refused as refusal:
        print_problems(console, refusal.problems, shown_of_a_kind=20)
        raise
    except OSError as error:
        where = f'`{error.filename}`: ' if error.filename else ''
        raise DataError(f'{where}{error.strerror or error}',
                        hint='check permissions and free space, then run again') from error
    print_result(console, source, target, manifest)
    return manifest


def _refuse_nested(source: Path, target: Path) -> None:
    """`source` is there. Files rather than names are compared: links, and disks without case."""
    hint = 'name a folder outside of the source, such as data/flower_dataset'
    here = target.resolve()
    if here.exists() and here.samefile(source):
        raise DataError(f'source and target are the same folder, `{target}`', hint=hint)
    if any(parent.exists() and parent.samefile(source) for parent in here.parents):
        raise DataError(f'the target `{target}` lies in the source `{source}`', hint=hint)
    if here.exists() and any(parent.samefile(here) for parent in source.resolve().parents):
        raise DataError(f'the source `{source}` lies in the target `{target}`', hint=hint)


def _check_space(work: Path, images: list[RawImage]) -> None:
    needed, free = sum(image.bytes for image in images), shutil.disk_usage(work).free
    if needed > free:
        raise DataError(f'the data set needs {needed / 1e6:.0f} MB, the disk of `{work.parent}` '
                        f'has {free / 1e6:.0f} MB', hint='free some space, or name another disk')


def _write(work: Path, accepted: Accepted, choices: Choices, console: 'Console') -> Manifest:
    """Write all of `work`/new but the manifest, which is returned."""
    splits = accepted.splits
    labels = {name: label for label, name in enumerate(accepted.classes)}
    # By the parts: as one string 'a b/1' sorts before 'a/1'.
    ordered = sorted(accepted.images, key=lambda image: image.file.split('/', 1))
    staged = [_stage_names(image, accepted.split_of[image.path], labels, number)
              for number, image in enumerate(ordered)]
    counts = Counter((item.image.class_name, item.split) for item in staged)
    folders = [f'{label:06d}' for label in range(len(labels))]
    converted = {split: work / 'converted' / split for split in splits}
    for split in splits:
        chosen = [item for item in staged if item.split == split]
        _stage(work / 'stage' / split, folders, chosen)
        _run_basedt(work / 'stage' / split, converted[split], split)
        _check_converted(converted[split], folders, split, chosen)
    new = work / 'new'
    for split in splits:
        for name in accepted.classes:
            (new / SPLIT_FOLDERS[split] / os_name(name)).mkdir(parents=True)
    records = in_threads(lambda item: _take_over(item, converted[item.split], new), staged,
                         'checking the copies', console)
    lists = {'classes.txt': accepted.classes,
             **{f'{split}.txt': [f'{item.image.file} {item.label}' for item in staged
                                 if item.split == split] for split in splits}}
    for name, lines in lists.items():
        # newline: a list file is the same on every system.
        (new / name).write_text('\n'.join(lines) + '\n', encoding='utf-8', newline='\n')
        fsync_path(new / name)
    import BaseDT
    return Manifest(
        hash=images_hash(records), seed=choices.seed, ratios=choices.ratios,
        on_bad=choices.on_bad, on_duplicate=choices.on_duplicate,
        versions={'amlnn': amlnn.__version__, 'basedt': BaseDT.__version__},
        classes=accepted.classes,
        counts={name: {split: counts[name, split] for split in splits}
                for name in accepted.classes},
        source_images=accepted.source_images, on_loss=choices.on_loss,
        deep_ranges=accepted.deep_ranges, parts=accepted.parts, group_by=choices.group_by,
        groups=accepted.groups, problems=accepted.problems, images=records)


def _stage_names(image: RawImage, split: str, labels: dict[str, int], number: int) -> _Staged:
    label = labels[image.class_name]
    return _Staged(image, split, label, folder=f'{label:06d}',
                   file=f'{number:08d}{Path(image.file).suffix.lower()}')


def _stage(stage: Path, folders: list[str], items: list[_Staged]) -> None:
    """Lay out one split's images as BaseDT wants them. Links cost no space; BaseDT copies."""
    for folder in folders:
        (stage / 'images' / folder).mkdir(parents=True)
    (stage / 'classes.txt').write_text('\n'.join(folders) + '\n', encoding='utf-8')
    for item in items:
        link = stage / 'images' / item.folder / item.file
        try:
            link.symlink_to(item.image.source.resolve())
        except OSError:  # Windows asks for a privilege
            link_or_copy(item.image.source, link)


def _run_basedt(stage: Path, output: Path, split: str) -> None:
    """Have BaseDT convert a staged split: the ratio 1 leaves it nothing to round or to shuffle."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # an invalid escape in BaseDT's version.py
        from BaseDT.dataset import DataSet
    ratios = {f'{name}_ratio': float(name == split) for name in SPLIT_FOLDERS}
    said, state = io.StringIO(), random.getstate()
    try:
        with contextlib.redirect_stdout(said):
            DataSet(str(output)).make_dataset(str(stage), src_format='IMAGENET', **ratios)
    except OSError:
        raise  # the disk is full, say: no fault of BaseDT
    except Exception as error:
        raise RunFailed(f'BaseDT failed on the {split} split: {type(error).__name__}: {error}',
                        hint='run again with --traceback') from error
    finally:
        random.setstate(state)


def _check_converted(output: Path, folders: list[str], split: str, items: list[_Staged]) -> None:
    """Compare the files and labels that BaseDT wrote with those it was given."""
    expected = {f'{SPLIT_FOLDERS[split]}/{item.folder}/{item.file}' for item in items}
    written = {path.relative_to(output).as_posix() for folder in SPLIT_FOLDERS.values()
               for path in (output / folder).rglob('*') if not path.is_dir()}
    classes_file, list_file = output / 'classes.txt', output / f'{split}.txt'
    right = written == expected and classes_file.is_file() \
        and classes_file.read_text(encoding='utf-8').split() == folders
    if right and split != 'train':  # BaseDT writes no train.txt
        lines = list_file.read_text(encoding='utf-8').splitlines() if list_file.is_file() else []
        right = sorted(lines) == sorted(f'{item.folder}/{item.file} {item.label}' for item in items)
    if not right:
        raise RunFailed(f'BaseDT did not write the {split} split as it was given: {len(written)} '
                        f'files for {len(items)}, or other labels',
                        hint='pip install -c requirements/constraints.txt basedt')


def _take_over(item: _Staged, converted: Path, new: Path) -> ImageRecord:
    """Move a copy that BaseDT made to its place and name, if it is what was inspected."""
    image = item.image
    copy = converted / SPLIT_FOLDERS[item.split] / item.folder / item.file
    if hashlib.sha256(copy.read_bytes()).hexdigest() != image.sha256:
        raise DataError(f'`{image.source}` changed while it was being prepared',
                        hint='run again once nothing writes to the source')
    fsync_path(copy)
    copy.replace(new / SPLIT_FOLDERS[item.split] / os_name(image.file))
    return ImageRecord(split=item.split, class_name=image.class_name, file=image.file,
                       **{key: value for key, value in dataclasses.asdict(image).items()
                          if key in ('sha256', 'bytes', 'width', 'height')})


def _is_prepared(names: set[str]) -> bool:
    return 'training_set' in names and bool(names & {'classes.txt', 'manifest.json'})


def _fsync_folders(folder: Path) -> None:
    for path, _, _ in os.walk(folder):
        fsync_path(Path(path))
