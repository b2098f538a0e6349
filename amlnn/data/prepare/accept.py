"""Which images of a source go into a data set, and which part: judged before any is written."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from amlnn.data.prepare.archives import is_archive, unpack_source
from amlnn.data.prepare.choices import Choices
from amlnn.data.prepare.copies import judge_copies, judge_near_copies
from amlnn.data.prepare.fixes import apply_fixes, read_fixes
from amlnn.data.prepare.inspect import RawImage, find_copies, read_images
from amlnn.data.prepare.losses import convert_images, find_losses, find_ranges
from amlnn.data.prepare.manifest import Problem
from amlnn.data.prepare.near_copies import find_near_copies
from amlnn.data.prepare.set_facts import find_few, find_imbalance, find_mixed
from amlnn.data.prepare.sources import Source, open_source
from amlnn.data.prepare.splitting import assign_groups, assign_splits, merge_groups
from amlnn.data.prepare.tables import open_table
from amlnn.errors import DataError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ['Accepted', 'Refused', 'accept', 'open_any']


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
    near: list[list[str]]
    """Paths of images that are nearly the same."""


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


class Refused(DataError):
    """A source with something in it that the user did not say what to do with.

    Args:
        message: What is wrong.
        hint: What to do.
        problems: All that was found; those that stop the preparation have no action.
    """

    def __init__(self, message: str, hint: str = '', problems: Sequence[Problem] = ()):
        super().__init__(message, hint)
        self.problems = list(problems)


def accept(source: Path, opened: Source, choices: Choices, work: Path,
           console: 'Console') -> Accepted:
    """Inspect all files, leave out what the user said to leave out, and divide the rest.

    Args:
        source: What the user named, for messages.
        opened: What is in it.
        choices: What the user asked for.
        work: A folder that may be written to.
        console: Where progress is shown.

    Raises:
        Refused: there is something that the user did not say what to do with, or what is left is
            too little.
        DataError: `--group-by` finds nothing.
    """
    if choices.fixes is not None:
        opened = apply_fixes(opened, read_fixes(choices.fixes))
    images, unreadable = read_images(opened.files, console, choices.on_loss == 'convert',
                                     choices.pixel_limit)
    settled = [problem for problem in opened.problems if problem.action]
    bad = [problem for problem in [*opened.problems, *unreadable] if not problem.action]
    lost = find_losses(images)
    if choices.on_loss == 'keep':
        unread = {image.path for image in images if image.deep and image.deep.seen == 0}
        bad += [problem for problem in lost if problem.path in unread]
        lost = [problem for problem in lost if problem.path not in unread]
        images = [image for image in images if image.path not in unread]
    copies = find_copies(_without(images, lost) if choices.on_loss in ('fail', 'skip') else images)
    doubled, dropped = judge_copies(copies, choices.on_duplicate)
    near = find_near_copies([image for image in images if image.path not in dropped], console)
    _refuse_problems(source, choices, bad, lost, doubled, near,
                     [*settled, *_note_facts(images, lost),
                      *find_few(sorted({image.class_name for image in images}), images),
                      *find_imbalance(images)])

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
    facts = _note_facts(images, [] if choices.on_loss == 'skip' else lost)
    lost = _settle_losses(lost, images, choices.on_loss, ranges)
    copies = find_copies(images)
    doubled, dropped = judge_copies(copies, choices.on_duplicate)
    images = [image for image in images if image.path not in dropped]
    near = _still(near, images)
    problems = [*settled, *(replace(problem, action='left out') for problem in bad), *lost,
                *doubled, *(fact for fact in facts if fact.path not in dropped)]
    try:
        return _fill_splits(source, opened, choices, images, bad, near, problems, shown)
    except DataError as error:
        problems += judge_near_copies(near, choices.on_duplicate)
        raise Refused(error.message, error.hint, _in_order(problems)) from error


def _fill_splits(source: Path, opened: Source, choices: Choices, images: list[RawImage],
                 bad: list[Problem], near: list[list[RawImage]], problems: list[Problem],
                 deep_ranges: dict[str, list[float]]) -> Accepted:
    """Divide what is left; `problems` are those so far."""
    empty = {problem.path.rpartition('/')[2] for problem in bad if problem.kind == 'empty-class'}
    present = {image.class_name for image in images}
    names = [name for name in opened.classes if name not in empty or name in present]
    if len(names) < 2:
        raise DataError(f'only {len(names)} class folder of `{source}` holds files',
                        hint='a classifier needs at least two classes with images')
    together = find_copies(images) if choices.on_duplicate == 'keep' else []
    groups, ungrouped = _find_groups(images, opened, choices)
    noted = _check_sizes(source, names, images, together, opened, choices)
    kept_near = bool(near)
    try:
        split_of, splits = _divide(images, names, opened, choices, [*together, *near], groups)
    except DataError:
        if not near:
            raise
        # What is nearly the same must not make a data set impossible.
        kept_near = False
        split_of, splits = _divide(images, names, opened, choices, together, groups)
    problems = [*problems, *judge_near_copies(near, choices.on_duplicate, kept_near), *ungrouped,
                *noted]
    return Accepted(names, images, split_of, splits, _in_order(problems), opened.file_count,
                    deep_ranges, opened.parts,
                    {split: sum(split_of[group[0]] == split for group in groups)
                     for split in splits} if choices.group_by else {},
                    [[image.path for image in group] for group in near])


def _in_order(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: (problem.path, problem.kind))


def _note_facts(images: list[RawImage], lost: Sequence[Problem]) -> list[Problem]:
    """What is worth knowing of each image, and of all; `lost` says more of some."""
    named = {problem.path for problem in lost}
    facts = [Problem(kind, image.path, detail, 'kept') for image in images
             for kind, detail in image.facts]
    facts += [Problem('transparent', image.path, '', 'kept') for image in images
              if image.alpha == 'transparent']
    others = [image for image in images if image.path not in named]
    facts += [Problem('deep', image.path, f'{image.deep.kind}, {image.deep.levels:,} levels',
                      'kept') for image in others if image.deep is not None]
    return facts + find_mixed(others)


def _still(near: list[list[RawImage]], images: list[RawImage]) -> list[list[RawImage]]:
    """The groups of near copies as far as they are left, and different from one another."""
    now = {image.path: image for image in images}
    groups = [[now[image.path] for image in group if image.path in now] for group in near]
    return [group for group in groups if len({image.pixels for image in group}) > 1]


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


def _refuse_problems(source: Path, choices: Choices, bad: list[Problem], lost: list[Problem],
                     doubled: list[Problem], near: list[list[RawImage]],
                     noted: list[Problem]) -> None:
    near_copies = judge_near_copies(near, choices.on_duplicate)
    stops_bad, stops_loss, stops_copies = (
        bool(items) and choice == 'fail' for items, choice in (
            (bad, choices.on_bad), (lost, choices.on_loss),
            (doubled + near_copies, choices.on_duplicate)))
    if not (stops_bad or stops_loss or stops_copies):
        return
    found, ways, also = [], [], ''
    if stops_bad:
        found.append(f'{len(bad)} that training cannot use')
        ways.append('--on-bad skip')
    if stops_loss:
        found.append(f'{len(lost)} of which training would lose what is in them')
        ways.append('--on-loss convert')
        also += ' (or leave them out: --on-loss skip, or take them as they are: --on-loss keep)'
    if stops_copies:
        count, exactly = len(doubled) + len(near_copies), 'nearly ' if not doubled else ''
        found.append(f'{count} that {"is" if count == 1 else "are"} {exactly}'
                     f'{"a copy" if count == 1 else "copies"} of another')
        ways.append('--on-duplicate drop')
        also += ' (or keep copies, in one split: --on-duplicate keep)'
    what = 'convert them to 8 bits' if stops_loss and not stops_bad and not stops_copies else \
        'mend them, or leave them out'
    if any(problem.kind == 'large' for problem in bad):
        also += ' (or read larger ones: --pixel-limit N)'
    left_out = [replace(problem, action='' if stops_bad else 'left out') for problem in bad]
    lost = [replace(problem, action='' if stops_loss else
                    {'skip': 'left out', 'keep': 'kept'}.get(choices.on_loss, 'converted'))
            for problem in lost]
    raise Refused(f'`{source}` has files, listed above: {" and ".join(found)}',
                  hint=f'{what}: add {" ".join(ways)}{also}',
                  problems=[*left_out, *lost, *doubled, *near_copies, *noted])


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
    different = Counter(image.class_name for image in pool if image.path not in again)
    small = [name for name in classes if different[name] < len(ratios)]
    if small:
        listed = ', '.join(f'`{name}` {different[name]}' for name in small)
        where = f'`{source}`' if not opened.parts else f'the part {opened.parts.get("train")}'
        raise DataError(f'too few usable, different images in {where} for {len(ratios)} '
                        f'split{"" if len(ratios) == 1 else "s"}: '
                        f'{listed}', hint='add images, or move these folders out of the source')
    problems = [*find_few(classes, images), *find_imbalance(images)]
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
        found = assign_splits(paths, ratios, choices.seed, merge_groups(together))
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
