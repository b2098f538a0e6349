"""A data set that was prepared, looked at as a source: its parts, its lists, its manifest."""

from pathlib import Path

from amlnn.data.prepare.integrity import find_changes, list_faults
from amlnn.data.prepare.manifest import SPLIT_FOLDERS, Problem
from amlnn.data.prepare.sources import Source, open_parts

__all__ = ['is_prepared', 'open_prepared']


def is_prepared(root: Path) -> bool:
    """Whether a folder is a data set in ImageNet format as `data_preprocess.py` writes it."""
    return (root / SPLIT_FOLDERS['train']).is_dir() and (root / 'classes.txt').is_file()


def open_prepared(root: Path) -> Source:
    """Look at the class folders of each split, and at what the lists and the manifest say of them.

    Raises:
        DataError: the folders or the manifest cannot be used.
    """
    parts = {split: root / folder for split, folder in SPLIT_FOLDERS.items()
             if (root / folder).is_dir()}
    opened = open_parts(root, parts)
    problems = []
    for split, folder in parts.items():
        files = {file.file for file in opened.files if file.part == split}
        problems += _compare_list(root / f'{split}.txt', folder.name, files, opened.classes)
        problems += [Problem('changed', path.relative_to(root).as_posix(), fault, '')
                     for path, fault in find_changes(root, split).items()]
    return Source(opened.classes, opened.files, [*opened.problems, *problems], opened.parts)


def _compare_list(path: Path, folder: str, files: set[str], classes: list[str]) -> list[Problem]:
    """What a list file says other than the folders do."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding='utf-8', errors='replace').splitlines()
    numbers = {name: str(label) for label, name in enumerate(classes)}
    labels = {file: numbers.get(file.partition('/')[0], '') for file in sorted(files)}
    details = {'no-file': f'{path.name}, row {{0.row}}', 'row-twice': path.name,
               'list-label': f'{path.name}, row {{0.row}}: {{0.detail}}',
               'unlisted': f'not in {path.name}'}
    found = [Problem(fault.kind, f'{folder}/{fault.file}', details[fault.kind].format(fault), '')
             for fault in list_faults(lines, labels)]
    return list(dict.fromkeys(found))  # a file that is there three times is said once
