"""Labels in a table beside one folder of images: a CSV file with a row for each image."""

import csv
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from amlnn.data.prepare.inspect import RawFile
from amlnn.data.prepare.manifest import Problem
from amlnn.data.prepare.sources import (
    Source,
    check_class_names,
    entries,
    is_hidden,
    part_of,
    text_name,
)
from amlnn.errors import DataError, UsageError

__all__ = ['open_table']

_LABEL_NAMES = ('label', 'labels', 'class', 'class_name', 'classname', 'category', 'target',
                'breed', 'species', 'diagnosis', 'dx', 'y')
_SPLIT_NAMES = ('split', 'part', 'set', 'subset', 'fold', 'partition')
_ENCODINGS = ('utf-8-sig', 'cp1252')
_MOST_SPLITS = 5


@dataclass(frozen=True)
class _Table:
    path: Path
    columns: list[str]
    rows: list[list[str]]

    def values(self, column: str) -> list[str]:
        place = self.columns.index(column)
        return [row[place].strip() for row in self.rows]


def open_table(root: Path, table: Path, image_column: str | None = None,
               label_column: str | None = None) -> Source:
    """Find the images of `root` that a table names, with their labels.

    Names may lack their ending and may have folders before them. A column called `split` (or
    `set`, `part`, ...) whose values are train, val and test says which part an image is in.

    Args:
        root: The folder of the images, which may hold folders.
        table: A CSV file with a header; commas, semicolons, tabs or bars between the columns.
        image_column: The column of the names; None takes the one whose values are files.
        label_column: The column of the classes; None takes the one that is called so, or the only
            one left.

    Raises:
        DataError: the table cannot be read, or no row names an image.
        UsageError: there is no such column, or nobody can tell which is meant.
    """
    read = _read_table(table)
    paths = list(_images(root, table))
    if not paths:
        raise DataError(f'`{root}` holds no images', hint='give the folder of the images that '
                        f'`{table}` names')
    find = _finder(list(paths))
    image_column = _image_column(read, image_column, find, root)
    names = read.values(image_column)
    split_column = _split_column(read, image_column)
    label_column = _label_column(read, label_column, {image_column, split_column})
    labels = _plain_numbers(read.values(label_column))
    splits = read.values(split_column) if split_column else [''] * len(names)
    files, problems = _match(root, names, labels, splits, find)
    classes = sorted({file.file.partition('/')[0] for file in files})
    check_class_names(classes, f'{table}, column {label_column}')
    listed = {file.path for file in files} | {problem.path for problem in problems}
    problems += [Problem('unlisted', path, '', 'left out') for path in paths if path not in listed]
    if split_column and not any(file.part == 'train' for file in files):
        raise DataError(f'the column {split_column} of `{table}` puts no image into train',
                        hint='rename the column, and the images are split anew')
    rows: dict[str, dict[str, str]] = {column: {} for column in read.columns}
    for name, row in zip(names, read.rows, strict=True):
        for path in find(name):
            for column, value in zip(read.columns, row, strict=True):
                rows[column].setdefault(path, value.strip())
    named = {part_of(value): value for value in splits if value}
    return Source(classes, files, problems,
                  {part: named[part] for part in ('train', 'val', 'test') if part in named}, rows)


def _read_table(path: Path) -> _Table:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f'the table `{path}` cannot be read: {error.strerror}',
                        hint='--labels FILE.csv, with a header such as image_id,label') from None
    for encoding in _ENCODINGS:
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        text = data.decode('latin-1')
    header = text.partition('\n')[0]
    delimiter = max(',;\t|', key=header.count)
    try:
        rows = [row for row in csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
                if any(map(str.strip, row))]
    except csv.Error as error:
        raise DataError(f'the table `{path}` cannot be read: {error}',
                        hint='a CSV file, with a header such as image_id,label') from None
    if len(rows) < 2 or len(rows[0]) < 2:
        raise DataError(f'the table `{path}` has {len(rows)} rows and '
                        f'{len(rows[0]) if rows else 0} columns',
                        hint='a header such as image_id,label and a row for each image')
    columns = [name.strip() or f'column {number}' for number, name in enumerate(rows[0], 1)]
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(columns):
            raise DataError(f'{path}: row {number} has {len(row)} values, the header '
                            f'{len(columns)}: {delimiter.join(row)[:80]}',
                            hint='put a value that holds the delimiter between quotes')
    if len(set(columns)) < len(columns):
        raise DataError(f'the table `{path}` has two columns of one name', hint='rename one')
    return _Table(path, columns, rows[1:])


def _images(root: Path, table: Path) -> Iterable[str]:
    """Files below `root` that may be images, relative to it, in the order of their names."""
    def walk(folder: Path, above: str) -> Iterable[str]:
        for path in entries(folder):
            name = text_name(path)
            if name is None or is_hidden(path.name) or len(name.splitlines()) != 1:
                continue
            if path.is_dir():
                if not path.is_symlink():
                    yield from walk(path, f'{above}{name}/')
            elif path.is_file() and (not table.exists() or not path.samefile(table)) and \
                    path.suffix.lower() not in ('.csv', '.tsv', '.txt', '.json', '.md', '.xml'):
                yield above + name
    return walk(root, '')


def _finder(paths: Sequence[str]) -> Callable[[str], list[str]]:
    """What finds the images that a name may mean: by its path, its end, and without endings."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        pure = PurePosixPath(path)
        for place in range(len(pure.parts)):
            tail = '/'.join(pure.parts[place:])
            by_name[tail].append(path)
            stem = str(PurePosixPath(tail).with_suffix(''))
            if pure.suffix and stem != tail:
                by_name[stem].append(path)

    def find(name: str) -> list[str]:
        name = name.replace('\\', '/').removeprefix('./')
        if not name:
            return []
        if name in by_name:
            exact = [path for path in by_name[name] if name in (path, path.rpartition('.')[0])]
            return exact or by_name[name]
        parts = name.split('/')  # the table knows the folder by another name
        for place in range(1, len(parts)):
            if found := by_name.get('/'.join(parts[place:])):
                return found
        return []
    return find


def _image_column(table: _Table, wanted: str | None, find: Callable[[str], list[str]],
                  root: Path) -> str:
    if wanted is not None:
        return _known(table, wanted, '--image-column')
    hits = {column: sum(bool(find(name)) for name in table.values(column))
            for column in table.columns}
    best = max(hits, key=hits.__getitem__)
    if not hits[best]:
        raise DataError(f'no value of `{table.path}` is an image of `{root}`: '
                        f'{", ".join(f"{c} {table.values(c)[0]}" for c in table.columns[:3])}',
                        hint='give the folder of the images, or name the column of their names: '
                        '--image-column')
    return best


def _label_column(table: _Table, wanted: str | None, taken: set[str | None]) -> str:
    if wanted is not None:
        return _known(table, wanted, '--label-column')
    left = [column for column in table.columns if column not in taken]
    named = [column for column in left if column.lower() in _LABEL_NAMES]
    for choice in (named, left):
        if len(choice) == 1:
            return choice[0]
    raise UsageError(f'which column of `{table.path}` holds the classes? '
                     f'{", ".join(left) or "there is no other"}',
                     hint=f'--label-column {left[0] if left else "NAME"}')


def _split_column(table: _Table, image_column: str) -> str | None:
    """The column that says which part an image is in, if all of its values do."""
    for column in table.columns:
        values = {value for value in table.values(column) if value}
        if column != image_column and column.lower() in _SPLIT_NAMES and values \
                and len(values) <= _MOST_SPLITS and all(map(part_of, values)):
            return column
    return None


def _known(table: _Table, wanted: str, option: str) -> str:
    if wanted not in table.columns:
        raise UsageError(f'`{table.path}` has no column `{wanted}`',
                         hint=f'{option} is one of {", ".join(table.columns)}')
    return wanted


def _plain_numbers(labels: list[str]) -> list[str]:
    """1.0 as 1 where all labels are whole numbers written so."""
    if all(label.endswith('.0') and label[:-2].isdigit() for label in labels if label):
        return [label[:-2] if label else '' for label in labels]
    return labels


def _match(root: Path, names: list[str], labels: list[str], splits: list[str],
           find: Callable[[str], list[str]]) -> tuple[list[RawFile], list[Problem]]:
    given: dict[str, set[tuple[str, str]]] = defaultdict(set)
    problems, seen = [], set()
    for number, (name, label, split) in enumerate(zip(names, labels, splits, strict=True), 2):
        found = find(name)
        if len(found) != 1:
            detail = f'row {number}: ' + (f'may be {", ".join(found[:3])}' if found else
                                          'no such image')
            problems.append(Problem('no-file', name or f'row {number}', detail, ''))
        elif not label or (any(splits) and not split):
            problems.append(Problem('no-label', found[0], f'row {number}' if not label else
                                    f'row {number} says no part', ''))
        else:
            _check_label(label, number)
            if found[0] in seen:
                problems.append(Problem('row-twice', found[0], f'row {number}', 'ignored'))
            seen.add(found[0])
            given[found[0]].add((label, part_of(split) or ''))
    files, taken = [], set()
    for path in sorted(given):
        if len(given[path]) > 1:
            said = ', '.join(sorted(' '.join(filter(None, each)) for each in given[path]))
            problems.append(Problem('two-labels', path, said, ''))
            continue
        (label, part), = given[path]
        name = path.rpartition('/')[2]
        if (part, label, name.casefold()) in taken:  # of another folder
            name = path.replace('/', '__')
        taken.add((part, label, name.casefold()))
        files.append(RawFile(path, root / os.fsdecode(path.encode()), f'{label}/{name}', part))
    return files, problems


def _check_label(label: str, number: int) -> None:
    if '/' in label or '\\' in label or is_hidden(label) or len(label) > 200:
        raise DataError(f'the label `{label[:80]}` in row {number} cannot be the name of a folder',
                        hint='rename the class in the table: no `/`, no `.` at its beginning')
