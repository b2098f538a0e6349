"""A table of what is to be done with single images, applied to a source before it is looked at."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from amlnn.data.prepare.inspect import RawFile
from amlnn.data.prepare.manifest import Problem
from amlnn.data.prepare.sources import Source, case_key, part_of
from amlnn.errors import DataError
from amlnn.foreign_texts import read_lines

__all__ = ['COLUMNS', 'Fix', 'apply_fixes', 'read_fixes']

COLUMNS = ('id', 'label', 'suggestion', 'reason', 'score')
"""Of the table that tools/doctor.py writes; the first three are needed."""

_HINT = f'a table as tools/doctor.py writes it, with the header {",".join(COLUMNS)}'


@dataclass(frozen=True)
class Fix:
    """A row of the table."""

    place: str
    """File and row, for messages."""
    id: str
    label: str
    suggestion: str
    """The class that it is to have; '' leaves the image out."""
    reason: str


def read_fixes(path: Path) -> list[Fix]:
    """Read a table of fixes.

    Raises:
        DataError: it cannot be read, has other columns, or names an image twice.
    """
    lines = read_lines(path, _HINT)
    delimiter = max(',;\t', key=(lines or [''])[0].count)  # a spreadsheet may choose another one
    try:
        rows = list(csv.reader(lines, delimiter=delimiter))
    except csv.Error as error:
        raise DataError(f'`{path}` cannot be read: {error}', hint=_HINT) from None
    header = [name.strip() for name in rows[0]] if rows else []
    missing = [name for name in COLUMNS[:3] if name not in header]
    if missing or len(set(header)) < len(header):
        raise DataError(f'`{path}` has the columns {", ".join(header) or "of nothing"}: '
                        + (f'{", ".join(missing)} missing' if missing else 'one of them twice'),
                        hint=_HINT)
    fixes: dict[str, Fix] = {}
    for number, row in enumerate(rows[1:], 2):
        if not any(map(str.strip, row)):
            continue
        if len(row) != len(header):
            raise DataError(f'{path}: row {number} has {len(row)} values, the header '
                            f'{len(header)}', hint='put a value that holds the delimiter '
                            'between quotes, or delete the row')
        values = dict(zip(header, row, strict=True))
        fix = Fix(f'{path}: row {number}', values['id'], values['label'].strip(),
                  values['suggestion'].strip(), values.get('reason', '').strip())
        if fix.id in fixes:
            first = fixes[fix.id].place.rpartition(': ')[2]
            raise DataError(f'{fix.place}: `{fix.id}` is in {first} already',
                            hint='delete one of the two rows')
        fixes[fix.id] = fix
    return list(fixes.values())


def apply_fixes(opened: Source, fixes: Sequence[Fix]) -> Source:
    """Give images other classes, and leave images out, as a table says.

    No file is touched: the class is what the data set will have. An image whose name the new class
    has already is called after its old class too.

    Args:
        opened: What is in the source.
        fixes: From `read_fixes`. An id is a path below the source; that of an image in a data set
            that was prepared (`training_set/rose/1.jpg`) is found in its source too.

    Raises:
        DataError: there is no such image or class, or the image has another label than the table
            says.
    """
    at = _Places(opened)
    files, problems = dict(enumerate(opened.files)), list(opened.problems)
    done: dict[int | str, Fix] = {}
    moved: list[int] = []
    for fix in fixes:
        place = at.find(fix)
        if place in done:
            raise DataError(f'{fix.place}: `{fix.id}` is the image of `{done[place].id}`, which is '
                            'there too', hint='delete one of the two rows')
        done[place] = fix
        if isinstance(place, str):  # what cannot be opened at all
            problems = [replace(problem, action='left out') if problem.path == place else problem
                        for problem in problems]
            continue
        file = files[place]
        label = _class_of(file)
        _check(fix, label, opened.classes)
        if not fix.suggestion:
            del files[place]
            problems.append(Problem('fixed-out', file.path, fix.reason, 'left out'))
        elif fix.suggestion != label:
            files[place] = replace(file, file=f'{fix.suggestion}/{_name_of(file)}')
            moved.append(place)
            problems.append(Problem('fixed-label', file.path, ': '.join(
                filter(None, (f'{label} to {fix.suggestion}', fix.reason))), 'given another class'))
    _rename(files, moved, opened.files)
    return replace(opened, files=list(files.values()), problems=problems)


def _check(fix: Fix, label: str, classes: Sequence[str]) -> None:
    if fix.label != label:
        raise DataError(f'{fix.place}: `{fix.id}` is of the class `{fix.label}` there, and of '
                        f'`{label}` in the source', hint='the table is of other data: run '
                        'python tools/doctor.py on these')
    if fix.suggestion and fix.suggestion not in classes:
        known = ', '.join(classes[:8]) + (', ...' if len(classes) > 8 else '')
        raise DataError(f'{fix.place}: no class `{fix.suggestion}`, for `{fix.id}`',
                        hint=f'one of {known}; or nothing, to leave the image out')


class _Places:
    """Where the images of a source are in its list, by path, or by part and file."""

    def __init__(self, opened: Source):
        self.paths = {file.path: place for place, file in enumerate(opened.files)}
        self.files = {(file.part, file.file or file.path): place
                      for place, file in enumerate(opened.files)}
        self.split = bool(opened.parts)
        self.refused = {problem.path for problem in opened.problems if not problem.action}

    def find(self, fix: Fix) -> int | str:
        """The place of a row's image; of one that the source cannot open, its path."""
        place = self.paths.get(fix.id)
        if place is not None:
            return place
        if fix.id in self.refused and not fix.suggestion:
            return fix.id
        first, _, rest = fix.id.partition('/')
        part = part_of(first)
        if part is not None:
            place = self.files.get((part if self.split else '', rest))
        elif not self.split:
            place = self.files.get(('', fix.id))
        if place is None:
            raise DataError(f'{fix.place}: no image `{fix.id}` in the source', hint='ids are '
                            'paths below SRC, as python tools/doctor.py SRC writes them; delete '
                            'the rows of images that are gone')
        return place


def _class_of(file: RawFile) -> str:
    return (file.file or file.path).partition('/')[0]


def _name_of(file: RawFile) -> str:
    return (file.file or file.path).partition('/')[2]


def _rename(files: dict[int, RawFile], moved: Sequence[int], before: Sequence[RawFile]) -> None:
    """Give moved images other names where their new class has such a name."""
    taken = {(file.part, case_key(file.file or file.path)) for place, file in files.items()
             if place not in set(moved)}
    for place in moved:
        file, number = files[place], 1
        name = file.file
        while (file.part, case_key(name)) in taken:
            again = f'{number}_' if number > 1 else ''
            name = f'{_class_of(file)}/{_class_of(before[place])}_{again}{_name_of(file)}'
            number += 1
        files[place] = replace(file, file=name)
        taken.add((file.part, case_key(name)))
