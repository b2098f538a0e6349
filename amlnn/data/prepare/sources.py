"""What a source folder holds: class folders, with or without parts, and the files in them.

Nothing here changes the folder, and nothing opens a file.
"""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from amlnn.data.prepare.inspect import EXTENSIONS, RawFile
from amlnn.data.prepare.manifest import Problem
from amlnn.errors import DataError

__all__ = ['NESTED', 'Source', 'case_key', 'check_class_names', 'entries', 'is_hidden',
           'open_parts', 'open_source', 'part_of', 'shown_name', 'text_name']

NESTED = ('leaf', 'join', 'top')
"""What the class is of an image in folders inside folders: the innermost, all, the outermost."""

_SYSTEM_NAMES = {'thumbs.db', 'ehthumbs.db', 'desktop.ini', '__macosx', '@eadir', '$recycle.bin'}
_PART_NAMES = {
    'train': {'train', 'training', 'training_set', 'train_set', 'trainset'},
    'val': {'val', 'valid', 'validation', 'val_set', 'valid_set', 'validation_set', 'dev', 'eval'},
    'test': {'test', 'testing', 'test_set', 'testset'},
}


@dataclass(frozen=True)
class Source:
    """What is to be prepared."""

    classes: list[str]
    files: list[RawFile]
    problems: list[Problem]
    """Those without an action keep training from using something."""
    parts: dict[str, str] = field(default_factory=dict)
    """Part to what the source calls it, where it is split already."""
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of a table: column to path to value."""

    @property
    def file_count(self) -> int:
        """Files in the class folders, hidden ones apart."""
        unopened = ('unreadable', 'name', 'case', 'fixed-out')
        return len(self.files) + sum(problem.kind in unopened for problem in self.problems)


def open_source(root: Path, nested: str | None = None) -> Source:
    """Look at a folder of class folders, or of parts that hold class folders.

    Args:
        root: The folder.
        nested: One of `NESTED`, or None: folders inside class folders are problems.

    Raises:
        DataError: it is something else, and the hint says what; or classes cannot be told apart.
    """
    folders, problems = _class_folders(root)
    parts = _find_parts(root, folders)
    if parts:
        return _open_parts(root, folders, problems, parts, nested)
    if nested:
        files, found = _nested_files(folders, nested)
        classes = sorted({file.file.partition('/')[0] for file in files})
        check_class_names(classes, root)
        if len(classes) < 2:
            raise DataError(f'`{root}` has {len(classes)} class with --nested {nested}',
                            hint=f'--nested {", or ".join(way for way in NESTED if way != nested)}')
        return Source(classes, files, problems + found)
    _check_structure(root, folders)
    files, found = _class_files(folders)
    return Source(list(folders), files, problems + found)


def open_parts(root: Path, parts: dict[str, Path]) -> Source:
    """Look at the class folders of parts that are known.

    Args:
        root: The folder above them.
        parts: Part to folder, train first.

    Raises:
        DataError: a part has a class that train does not know, or two cannot be told apart.
    """
    return _open_parts(root, {path.name: path for path in parts.values()}, [], parts, None)


def part_of(name: str) -> str | None:
    """Which part a folder or a value of a table means: `Valid` is 'val'.

    >>> part_of('Valid'), part_of('TEST'), part_of('cat')
    ('val', 'test', None)
    """
    lower = name.strip().lower()
    return next((part for part, names in _PART_NAMES.items() if lower in names), None)


def check_class_names(names: list[str], where: Path | str) -> None:
    """Refuse names that folders and list files cannot hold, or tell apart.

    Raises:
        DataError: names one.
    """
    seen: dict[str, str] = {}
    for name in names:
        if not name or name != name.strip() or len(name.splitlines()) != 1:
            raise _bad_name(shown_name(Path(name)), where)
        other = seen.setdefault(case_key(name), name)
        if other != name:
            raise DataError(f'the class folders `{other}` and `{name}` of `{where}` differ only '
                            'in case', hint='rename one, or move the images of both into one')


def entries(folder: Path) -> list[Path]:
    """What a folder holds, in the order of the names' bytes: the disk's own order is arbitrary."""
    try:
        return sorted(folder.iterdir(), key=lambda path: os.fsencode(path.name))
    except FileNotFoundError:
        parent = next(path for path in folder.absolute().parents if path.is_dir())
        wanted = folder.absolute().relative_to(parent).parts[0]
        near = get_close_matches(wanted, [path.name for path in parent.iterdir()], 1, 0.6)
        raise DataError(f'no folder `{folder}`', hint=f'did you mean {parent / near[0]}?' if near
                        else f'the nearest folder that exists is {parent}') from None
    except NotADirectoryError:
        raise DataError(f'`{folder}` is a file', hint='give a folder of class folders, or an '
                        'archive of one: .zip, .tar, .tar.gz, .tar.xz, .tar.bz2') from None
    except PermissionError:
        raise DataError(f'the folder `{folder}` cannot be read: no permission',
                        hint=f'chmod -R u+rX {folder}') from None


def is_hidden(name: str) -> bool:
    """Whether the operating system made a file, or hides it."""
    return name.startswith('.') or name.lower() in _SYSTEM_NAMES


def text_name(path: Path) -> str | None:
    """A name as text, also where the locale is C; None where its bytes are not UTF-8."""
    try:
        return os.fsencode(path.name).decode()
    except UnicodeDecodeError:
        return None


def shown_name(path: Path) -> str:
    """A name that fits a line of a terminal, whatever its bytes are."""
    name = os.fsencode(path.name).decode(errors='backslashreplace')
    return ''.join(c if c.isprintable() else c.encode('unicode_escape').decode() for c in name)


def case_key(name: str) -> str:
    """Equal for names that a Mac or Windows cannot tell apart."""
    return unicodedata.normalize('NFC', unicodedata.normalize('NFC', name).casefold())


def _class_folders(root: Path, prefix: str = '') -> tuple[dict[str, Path], list[Problem]]:
    """Folders of `root` by name, in the order in which MMPretrain sorts them, and the rest."""
    folders, problems = {}, []
    for path in entries(root):
        shown = prefix + shown_name(path)
        if is_hidden(path.name):
            problems.append(Problem('hidden', shown, '', 'ignored'))
        elif not path.is_dir():
            problems.append(Problem('stray', shown, '', 'ignored'))
        else:
            name = text_name(path)
            if name is None:
                raise _bad_name(shown_name(path), root)
            folders[name] = path
            if path.is_symlink():
                problems.append(Problem('link', shown, '', 'followed'))
    check_class_names(list(folders), root)
    return dict(sorted(folders.items())), problems


def _bad_name(shown: str, where: Path | str) -> DataError:
    return DataError(f'the class folder `{shown}` of `{where}` has a name that a list file cannot '
                     'hold', hint='rename it: no spaces at its ends, no line breaks, UTF-8')


def _class_files(folders: dict[str, Path],
                 prefix: str = '') -> tuple[list[RawFile], list[Problem]]:
    """The files of the class folders that may be images, by class and name, and the problems."""
    files, problems = [], []
    for class_name, folder in folders.items():
        found = entries(folder)
        if all(is_hidden(path.name) for path in found):
            problems.append(Problem('empty-class', prefix + class_name, '', ''))
        taken: dict[str, str] = {}
        for path in found:
            shown = f'{prefix}{class_name}/{shown_name(path)}'
            if path.is_dir() and not is_hidden(path.name):
                count = sum(len(names) for _, _, names in os.walk(path))
                problems.append(Problem('nested-folder', shown, f'files in it: {count}', ''))
                continue
            problem = _judge_name(path, shown, taken)
            if problem is None or problem.kind == 'link':
                files.append(RawFile(f'{prefix}{class_name}/{text_name(path)}', path,
                                     f'{class_name}/{text_name(path)}'))
            if problem is not None:
                problems.append(problem)
    nested = [problem.path for problem in problems if problem.kind == 'nested-folder']
    if nested and not any(file.path.lower().endswith(EXTENSIONS) for file in files):
        folder = folders[nested[0].removeprefix(prefix).split('/')[0]]
        raise DataError(f'the folders of `{folder.parent}` hold no images, but folders',
                        hint=f'give the folder whose folders are the classes: {folder}, perhaps; '
                        'or take the innermost folders for classes: --nested leaf (join: all their '
                        'names; top: the outermost)')
    return files, problems


def _judge_name(path: Path, shown: str, taken: dict[str, str]) -> Problem | None:
    """What is wrong with an entry that is no folder; `taken` holds its neighbours' names."""
    name = text_name(path)
    if is_hidden(path.name):
        return Problem('hidden', shown, '', 'ignored')
    if not path.is_file():  # also pipes and devices, which would be read for ever
        return Problem('unreadable', shown,
                       'a broken link' if path.is_symlink() else 'not a regular file', '')
    if name is None or len(name.splitlines()) != 1:
        return Problem('name', shown, 'not UTF-8, or with a line break', '')
    if (other := taken.setdefault(case_key(name), name)) != name:
        return Problem('case', shown, f'like {other}', '')
    return Problem('link', shown, '', 'followed') if path.is_symlink() else None


def _nested_files(folders: dict[str, Path], nested: str,
                  prefix: str = '') -> tuple[list[RawFile], list[Problem]]:
    """The files of folders inside folders, with classes as `nested` says."""
    files, problems, homes = [], [], {}
    for inner, folder in _walk(folders):
        class_name = {'leaf': inner[-1], 'join': '_'.join(inner), 'top': inner[0]}[nested]
        taken: dict[str, str] = {}
        for path in entries(folder):
            shown = prefix + '/'.join((*inner, shown_name(path)))
            if path.is_dir() and not is_hidden(path.name):
                continue
            problem = _judge_name(path, shown, taken)
            if problem is not None:
                problems.append(problem)
            if problem is not None and problem.kind != 'link':
                continue
            other = homes.setdefault(class_name, inner)
            if other != inner and nested != 'top':
                raise DataError(f'`{"/".join(other)}` and `{"/".join(inner)}` are both the class '
                                f'`{class_name}`', hint='--nested join keeps them apart, '
                                '--nested top takes the outermost folders for classes')
            below = inner[1:] if nested == 'top' else ()
            files.append(RawFile(shown, path,
                                 f'{class_name}/{"__".join((*below, text_name(path)))}'))
    twice = [name for name, count in Counter(file.file for file in files).items() if count > 1]
    if twice:
        raise DataError(f'`{twice[0]}` would be the name of two images',
                        hint='--nested leaf, or --nested join')
    return files, problems


def _walk(folders: dict[str, Path],
          above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Path]]:
    """Every folder with the names that lead to it; links to folders end here, or none would."""
    for name, folder in folders.items():
        yield (*above, name), folder
        inner = {text_name(path): path for path in entries(folder)
                 if path.is_dir() and not is_hidden(path.name) and not path.is_symlink()}
        yield from _walk({key: path for key, path in inner.items() if key}, (*above, name))


def _find_parts(root: Path, folders: dict[str, Path]) -> dict[str, Path]:
    """Part to its folder, where `root` is split already; nothing where its folders are classes."""
    named = [(part_of(name), name) for name in folders if part_of(name)]
    others = [name for name in folders if not part_of(name)]
    if len(named) < 2 or ((root / 'classes.txt').exists() and (root / 'manifest.json').exists()):
        return {}
    if others and any(_holds_images(folders[name]) for _, name in named):
        return {}  # classes called `train` and `plane`, say
    parts: dict[str, Path] = {}
    for part, name in named:
        if part in parts:
            raise DataError(f'`{root}` has two folders for one part: `{parts[part].name}` and '
                            f'`{name}`', hint='rename one, or move one out of the source')
        parts[part] = folders[name]
    if 'train' not in parts:
        raise DataError(f'`{root}` is split already: {", ".join(sorted(folders))}; but no part is '
                        'called train', hint=f'give one part to be split: '
                        f'{root / sorted(folders)[0]}')
    return {part: parts[part] for part in _PART_NAMES if part in parts}


def _holds_images(folder: Path) -> bool:
    return any(path.name.lower().endswith(EXTENSIONS) and not is_hidden(path.name)
               for path in entries(folder) if not path.is_dir())


def _open_parts(root: Path, folders: dict[str, Path], problems: list[Problem],
                parts: dict[str, Path], nested: str | None) -> Source:
    problems = problems + [Problem('beside', name, '', 'ignored') for name, path in folders.items()
                           if path not in parts.values()]
    classes: list[str] = []
    files: list[RawFile] = []
    kept: dict[str, str] = {}
    for part, folder in parts.items():  # train comes first
        inner, noted = _class_folders(folder, f'{folder.name}/')
        found, bad = ([], []) if not inner else \
            _nested_files(inner, nested, f'{folder.name}/') if nested else \
            _class_files(inner, f'{folder.name}/')
        names = list(dict.fromkeys(file.file.partition('/')[0] for file in found)) \
            if nested else list(inner)
        if part == 'train':
            classes = names
            if len(classes) < 2:
                raise DataError(f'`{folder}` holds {len(classes)} class folders',
                                hint='a part holds a folder of images for each class; a classifier '
                                'needs at least two')
        elif not set(map(case_key, names)) & set(map(case_key, classes)) and len(names) < 2:
            count = sum(len(items) for _, _, items in os.walk(folder))
            problems.append(Problem('no-labels', folder.name, f'files in it: {count}', 'left out'))
            continue
        else:
            _compare_classes(classes, names, folder, parts['train'])
        problems += [*noted, *bad]
        files += [replace(file, part=part) for file in found]
        kept[part] = folder.name
    return Source(sorted(classes), files, problems, kept)


def _compare_classes(classes: list[str], names: list[str], folder: Path, train: Path) -> None:
    """Refuse a part with a class that training does not know."""
    keys = {case_key(name): name for name in classes}
    for name in names:
        if name in classes:
            continue
        if same := keys.get(case_key(name)):
            raise DataError(f'`{folder / name}` and `{train / same}` differ only in case',
                            hint=f'give both one name: mv {folder / name} {folder / same}')
        near = get_close_matches(name, classes, 1, 0.6)
        raise DataError(f'the class `{name}` of `{folder}` is none of `{train}`',
                        hint=(f'did you mean {near[0]}? ' if near else '')
                        + 'rename the folder, or move it out of the source')


def _check_structure(root: Path, folders: dict[str, Path]) -> None:
    """Raise with a hint that fits what the folder seems to be instead."""
    names = {name.lower() for name in folders}
    if names and all(map(part_of, names)) and len(names) > 1:
        raise DataError(
            f'`{root}` is split already: {", ".join(sorted(folders))}',
            hint='it can be trained on as it is, as the data_root of a config')
    if len(folders) >= 2:
        return
    if not folders:
        what = 'holds images, but no class folders' if _holds_images(root) else \
            'holds no class folders'
        raise DataError(f'`{root}` {what}', hint='make a folder for each class in it and move '
                        f'the images there: {root / "cat"}, {root / "dog"}, ...; or give a table '
                        'of labels: --labels FILE.csv')
    (only, folder), = folders.items()
    inner = [path for path in entries(folder) if path.is_dir() and not is_hidden(path.name)]
    if inner:
        raise DataError(f'`{root}` holds only the folder `{only}`, whose folders are the classes',
                        hint=f'give that one: {folder}')
    raise DataError(f'`{root}` has only one class, `{only}`',
                    hint='a classifier needs at least two class folders')
