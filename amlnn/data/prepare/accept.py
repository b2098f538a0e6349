"""Which images of a source go into a data set, and which part: judged before any is written."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from amlnn.data.prepare.archives import is_archive, unpack_source
from amlnn.data.prepare.inspect import RawImage, find_copies, read_images
from amlnn.data.prepare.losses import convert_images, find_losses, find_ranges
from amlnn.data.prepare.manifest import Problem
from amlnn.data.prepare.sources import Source, open_source
from amlnn.data.prepare.splitting import assign_groups, assign_splits, merge_groups
from amlnn.data.prepare.summary import print_problems
from amlnn.data.prepare.tables import open_table
from amlnn.errors import DataError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ['Accepted', 'Choices', 'accept', 'open_any']

FEW_IMAGES = 10
"""A class with fewer is reported."""

_EVALUATED_FIRST = {'test': 0, 'val': 1, 'train': 2}


@dataclass(frozen=True)
class Choices:
    """What the user asked for; the arguments of `prepare`."""

    ratios: dict[str, float]
    seed: int
    on_bad: str
    on_duplicate: str
    on_loss: str
    labels: Path | None
    image_column: str | None
    label_column: str | None
    nested: str | None
    group_by: str | None

    @property
    def splits(self) -> list[str]:
        """The parts that the ratios ask for."""
        return [split for split, ratio in self.ratios.items() if ratio > 0]


@dataclass(frozen=True)
class Accepted:
    """What of the source goes into the data set."""

    classes: list[str]
    images: list[RawImage]
    split_of: dict[str, str]
    """By path."""
    splits: list[str]
    problems: list[Problem]
    source_images: int
    deep_ranges: dict[str, list[float]]
    parts: dict[str, str]
    groups: dict[str, int]


def open_any(source: Path, choices: Choices, unpacked: Path | None = None) -> Source:
    """Look at a source of whatever layout; an archive is unpacked into `unpacked`.

    Raises:
        DataError: it cannot be used.
    """
    if is_archive(source):
        source = unpack_source(source, unpacked)
    if choices.labels is not None:
        if not choices.labels.is_file() and not choices.labels.is_absolute() \
                and (source / choices.labels).is_file():
            choices = replace(choices, labels=source / choices.labels)  # in the archive, say
        return open_table(source, choices.labels, choices.image_column, choices.label_column)
    return open_source(source, choices.nested)


def accept(source: Path, opened: Source, choices: Choices, work: Path,
           console: 'Console') -> Accepted:
    """Inspect all files, leave out what the user said to leave out, and divide the rest.

    Args:
        source: What the user named, for messages.
        opened: What is in it.
        choices: What the user asked for.
        work: A folder that may be written to.
        console: Where problems and progress are printed.

    Raises:
        DataError: there is something that the user did not say what to do with.
    """
    images, unreadable = read_images(opened.files, console, choices.on_loss == 'convert')
    settled = [problem for problem in opened.problems if problem.action]
    bad = [problem for problem in [*opened.problems, *unreadable] if not problem.action]
    lost = find_losses(images)
    if choices.on_loss == 'keep':
        unread = {image.path for image in images if image.deep and image.deep.seen == 0}
        bad += [problem for problem in lost if problem.path in unread]
        lost = [problem for problem in lost if problem.path not in unread]
        images = [image for image in images if image.path not in unread]
    refused = lost if choices.on_loss == 'fail' else []
    copies = find_copies(_without(images, lost) if choices.on_loss in ('fail', 'skip') else images)
    doubled, _ = _judge_copies(copies, choices.on_duplicate)
    _refuse_problems(source, bad if choices.on_bad == 'fail' else [], refused,
                     doubled if choices.on_duplicate == 'fail' else [], console)

    ranges, shown = {}, {}
    if choices.on_loss == 'skip':
        images = _without(images, lost)
    elif choices.on_loss == 'convert':
        ranges = find_ranges(images, {item.path for item in lost if item.kind == 'depth'})
        shown = {image.deep.kind: list(ranges[image.path]) for image in images
                 if image.path in ranges}
        foreign = [image.path for image in images if image.foreign]
        images = convert_images(images, ranges, work / 'eight-bit', console)
        lost += [Problem('extension', path, '', 'converted to PNG') for path in foreign]
    lost = _settle_losses(lost, images, choices.on_loss, ranges)
    copies = find_copies(images)
    doubled, dropped = _judge_copies(copies, choices.on_duplicate)
    images = [image for image in images if image.path not in dropped]
    empty = {problem.path.rpartition('/')[2] for problem in bad if problem.kind == 'empty-class'}
    present = {image.class_name for image in images}
    names = [name for name in opened.classes if name not in empty or name in present]
    if len(names) < 2:
        raise DataError(f'only {len(names)} class folder of `{source}` holds files',
                        hint='a classifier needs at least two classes with images')
    seen = [Problem('transparent', image.path, '', 'kept') for image in images
            if image.alpha == 'transparent']
    together = copies if choices.on_duplicate == 'keep' else []
    groups, ungrouped = _find_groups(images, opened, choices)
    noted = _check_sizes(source, names, images, together, opened, choices)
    split_of, splits = _divide(images, names, opened, choices, together, groups)
    problems = [*settled, *(replace(problem, action='left out') for problem in bad), *lost,
                *doubled, *seen, *ungrouped, *noted]
    return Accepted(names, images, split_of, splits,
                    sorted(problems, key=lambda problem: (problem.path, problem.kind)),
                    opened.file_count, shown, opened.parts,
                    {split: sum(split_of[group[0]] == split for group in groups)
                     for split in splits} if choices.group_by else {})


def _without(images: list[RawImage], problems: Sequence[Problem]) -> list[RawImage]:
    paths = {problem.path for problem in problems}
    return [image for image in images if image.path not in paths]


def _settle_losses(lost: list[Problem], images: list[RawImage], on_loss: str,
                   ranges: dict[str, tuple[float, float]]) -> list[Problem]:
    """Say what was done with each; of converted images only those are left that are still equal."""
    still = {problem.path for problem in find_losses(images) if problem.kind == 'difference'}
    settled = []
    for problem in lost:
        if on_loss == 'skip':
            action = 'left out'
        elif problem.kind == 'difference':
            if problem.path not in still:
                continue
            action = 'a copy, for training'
        elif on_loss == 'keep':
            action = 'kept'
        elif problem.path in ranges:
            low, high = ranges[problem.path]
            action = f'converted: {low:,.9g} is black, {high:,.9g} white'
        else:
            action = problem.action or 'converted, made opaque'
        settled.append(replace(problem, action=action))
    return settled


def _judge_copies(groups: Sequence[Sequence[RawImage]],
                  on_duplicate: str) -> tuple[list[Problem], set[str]]:
    """What to say about each group of copies, and the paths that are left out."""
    problems: list[Problem] = []
    dropped: set[str] = set()
    for group in groups:
        # What a model is judged by stays as it was published.
        group = sorted(group, key=lambda image: (_EVALUATED_FIRST.get(image.part, 0), image.path))
        conflict = len({image.class_name for image in group}) > 1
        for image in group if conflict else group[1:]:
            others = [other.path for other in group if other is not image] if conflict \
                else [group[0].path]
            apart = image.part != group[0].part
            kind = 'label-conflict' if conflict else 'part-copy' if apart else 'copy'
            action = {'fail': '', 'drop': 'left out', 'keep': 'kept, in several parts'
                      if len({other.part for other in group}) > 1 else 'kept, copies in one split'}
            problems.append(Problem(kind, image.path, 'same as ' + ', '.join(others),
                                    action[on_duplicate]))
            if on_duplicate == 'drop':
                dropped.add(image.path)
    return problems, dropped


def _refuse_problems(source: Path, bad: list[Problem], lost: list[Problem],
                     doubled: list[Problem], console: 'Console') -> None:
    if not bad and not lost and not doubled:
        return
    print_problems(console, [*bad, *lost, *doubled], shown_of_a_kind=20)
    found, ways = [], []
    if bad:
        found.append(f'{len(bad)} that training cannot use')
        ways.append('--on-bad skip')
    if lost:
        found.append(f'{len(lost)} of which training would lose what is in them')
        ways.append('--on-loss convert')
    if doubled:
        found.append(f'{len(doubled)} that {"is a copy" if len(doubled) == 1 else "are copies"} '
                     'of another')
        ways.append('--on-duplicate drop')
    what = 'convert them to 8 bits' if lost and not bad and not doubled else \
        'mend them, or leave them out'
    also = ''.join([
        ' (or leave them out: --on-loss skip, or take them as they are: --on-loss keep)'
        if lost else '',
        ' (or keep copies, in one split: --on-duplicate keep)' if doubled else ''])
    raise DataError(f'`{source}` has files, listed above: {" and ".join(found)}',
                    hint=f'{what}: add {" ".join(ways)}{also}')


def _find_groups(images: Sequence[RawImage], opened: Source,
                 choices: Choices) -> tuple[list[list[str]], list[Problem]]:
    """Paths of the images of each group of `--group-by`, single ones too, and those without one."""
    if choices.group_by is None:
        return [], []
    key_of = _group_key(opened, choices.group_by)
    groups: dict[str, list[str]] = defaultdict(list)
    alone = []
    for image in images:
        if key := key_of(image.path):
            groups[key].append(image.path)
        else:
            alone.append(image.path)
    if images and not groups:
        raise DataError(f'--group-by `{choices.group_by}` finds no group in any path, such as '
                        f'`{images[0].path}`', hint='a regular expression with the group in '
                        r"brackets: --group-by '(patient\d+)'; or a column of --labels")
    parts = {image.path: image.part for image in images}
    for key, paths in groups.items():
        if len({parts[path] for path in paths}) > 1:
            shown = key.replace('\0', ' ')
            apart = [next(path for path in paths if parts[path] == part)
                     for part in dict.fromkeys(parts[path] for path in paths)]
            raise DataError(f'the group `{shown}` lies in several parts of the source: '
                            f'{", ".join(apart)}', hint='move its images into one part, or '
                            'the class folders of all parts into one folder, to be split anew')
    return [*groups.values(), *([path] for path in alone)], \
        [Problem('no-group', path, '', 'kept') for path in alone]


def _group_key(opened: Source, group_by: str) -> Callable[[str], str | None]:
    """What gives the group of a path, or None."""
    if group_by in opened.columns:
        return opened.columns[group_by].get
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise UsageError(f'--group-by `{group_by}` is no regular expression: {error}', hint=(
            f'or a column: {", ".join(opened.columns)}' if opened.columns else
            r"such as --group-by '(patient\d+)'")) from None

    def find(path: str) -> str | None:
        match = pattern.search(path)
        if match is None:
            return None
        return '\0'.join(group or '' for group in match.groups()) or match[0]
    return find


def _check_sizes(source: Path, classes: list[str], images: list[RawImage],
                 copies: list[list[RawImage]], opened: Source, choices: Choices) -> list[Problem]:
    """Refuse classes that cannot fill each split; report those with very few images.

    Copies count once: they go into one split together.
    """
    pool, ratios = _pool(images, opened, choices)
    again = {image.path for group in copies for image in sorted(
        group, key=lambda image: image.path)[1:]}
    totals = Counter(image.class_name for image in images)
    different = Counter(image.class_name for image in pool if image.path not in again)
    small = [name for name in classes if different[name] < len(ratios)]
    if small:
        listed = ', '.join(f'`{name}` {different[name]}' for name in small)
        where = f'`{source}`' if not opened.parts else f'the part {opened.parts.get("train")}'
        raise DataError(f'too few usable, different images in {where} for {len(ratios)} '
                        f'split{"" if len(ratios) == 1 else "s"}: '
                        f'{listed}', hint='add images, or move these folders out of the source')
    problems = [Problem('few-images', name, f'{totals[name]} images', 'kept')
                for name in classes if totals[name] < FEW_IMAGES]
    for part, name in opened.parts.items():
        here = {image.class_name for image in images if image.part == part}
        if not here:
            raise DataError(f'the part {name} of `{source}` has no image left',
                            hint='--on-duplicate keep, or move it out of the source')
        problems += [Problem('missing-class', f'{name}/{missing}', '', 'kept')
                     for missing in classes if missing not in here]
    return problems


def _pool(images: list[RawImage], opened: Source,
          choices: Choices) -> tuple[list[RawImage], dict[str, float]]:
    """The images that are to be divided, and by which ratios: of a split source those of train."""
    ratios = {split: choices.ratios[split] for split in choices.splits
              if split == 'train' or split not in opened.parts}
    if not opened.parts:
        return images, ratios
    return [image for image in images if image.part == 'train'], ratios


def _divide(images: list[RawImage], classes: list[str], opened: Source, choices: Choices,
            copies: list[list[RawImage]], groups: list[list[str]]) -> tuple[dict[str, str],
                                                                            list[str]]:
    """The split of every path, and the splits."""
    pool, ratios = _pool(images, opened, choices)
    files = {image.path: image.file for image in pool}
    paths = {file: path for path, file in files.items()}
    together = [[files[image.path] for image in group if image.path in files] for group in copies]
    together = [group for group in together if group]
    grouped = [[files[path] for path in group if path in files] for group in groups]
    if groups:
        found = assign_groups(merge_groups([group for group in grouped if group] + together),
                              ratios, choices.seed)
    else:
        found = assign_splits(paths, ratios, choices.seed, together)
    split_of = {image.path: image.part for image in images}
    split_of.update({paths[file]: split for file, split in found.items()})
    filled = {(file.split('/')[0], split) for file, split in found.items()}
    missing = [f'`{name}`' for name in classes if any((name, split) not in filled
                                                      for split in ratios)]
    if missing and groups:
        raise DataError(f'too few groups of {", ".join(missing)} for {len(ratios)} splits: a part '
                        'would have no image of it', hint='add images of others, another '
                        '--group-by, or fewer parts: --val-ratio 0 --train-ratio 1')
    if missing:
        raise DataError(f'the copies of {", ".join(missing)} leave a split without an image',
                        hint='--on-duplicate drop')
    splits = [split for split in choices.ratios if split in opened.parts or split in ratios]
    return split_of, splits
