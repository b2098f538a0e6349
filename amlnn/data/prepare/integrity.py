"""Whether the files of a prepared data set are still those that its manifest names."""

from concurrent.futures import ThreadPoolExecutor
from hashlib import file_digest
from pathlib import Path

from amlnn.data.prepare.manifest import (
    NAME,
    SPLIT_FOLDERS,
    ImageRecord,
    Manifest,
    read_manifest,
)
from amlnn.errors import DataError

__all__ = ['check_files', 'check_list', 'find_changes']


def check_files(data_root: Path | str, split: str) -> None:
    """Refuse a data set with a file that is gone or changed, before anything is trained on it.

    Sizes are compared for every file, contents only for files that are younger than the manifest,
    so that an untouched data set costs one look-up a file. A folder without a manifest was made
    otherwise and is not checked.

    Raises:
        DataError: names the first such file, and how many there are.
    """
    root = Path(data_root)
    if not (root / NAME).is_file():
        return
    check_list(root, split, read_manifest(root))
    faults = [f'`{path}` {fault}' for path, fault in find_changes(data_root, split).items()]
    if faults:
        more = f' (and {len(faults) - 1} more)' if len(faults) > 1 else ''
        raise DataError(f'{faults[0]}{more} since the data set was prepared',
                        hint='prepare it again: python data_preprocess.py <folder of class folders>'
                        f' {data_root} --overwrite')


def find_changes(data_root: Path | str, split: str) -> dict[Path, str]:
    """The files of a split that are gone or changed, as `check_files` says, and what they are now.

    Raises:
        DataError: the manifest cannot be read.
    """
    root = Path(data_root)
    if not (root / NAME).is_file():
        return {}
    written = (root / NAME).stat().st_mtime
    images = [image for image in read_manifest(root).images if image.split == split]

    def fault(image: ImageRecord) -> tuple[Path, str]:
        path = root / SPLIT_FOLDERS[split] / image.file
        try:
            found = path.stat()
        except OSError:
            return path, 'is not there'
        if found.st_size != image.bytes:
            return path, f'has {found.st_size:,} bytes, had {image.bytes:,}'
        if found.st_mtime > written:
            with open(path, 'rb') as file:
                if file_digest(file, 'sha256').hexdigest() != image.sha256:
                    return path, 'has another content'
        return path, ''

    with ThreadPoolExecutor() as pool:
        return {path: text for path, text in pool.map(fault, images) if text}


def check_list(root: Path, split: str, manifest: Manifest) -> None:
    """Refuse a list file that is not what the manifest says of its part.

    Args:
        root: The data set.
        split: The part.
        manifest: Of the data set.

    Raises:
        DataError: names the first line that differs.
    """
    path = root / f'{split}.txt'
    hint = 'prepare it again: python data_preprocess.py <folder of class folders> ' \
           f'{root} --overwrite'
    numbers = {name: number for number, name in enumerate(manifest.classes)}
    expected = {image.file: numbers[image.class_name] for image in manifest.images
                if image.split == split}
    others = {image.file: image.split for image in manifest.images if image.split != split}
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except FileNotFoundError:
        if expected:
            raise DataError(f'`{path}` is not there', hint=hint) from None
        return
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'`{path}` cannot be read: {error}', hint=hint) from None
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, _, label = line.rpartition(' ')
        where = f'`{path}`:{number}: `{name or line}`'
        if name in seen:
            raise DataError(f'{where} is in line {seen[name]} already', hint=hint)
        seen[name] = number
        if name not in expected:
            part = f'is of the {others[name]} part' if name in others else 'is of no part'
            raise DataError(f'{where} {part}, as the data set was prepared', hint=hint)
        if label != str(expected[name]):
            raise DataError(f'{where} has the label {label}, had {expected[name]} when the data '
                            'set was prepared', hint=hint)
    lost = [name for name in expected if name not in seen]
    if lost:
        raise DataError(f'`{path}` has no line for `{lost[0]}` ({len(lost)} of {len(expected)} are '
                        'gone) since the data set was prepared', hint=hint)
