"""Small raw folders of generated images, and independent ways to look at what became of them."""

import hashlib
import io
import zlib
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from amlnn.data.prepare.prepare import prepare


def noise(seed, size=(16, 12)):
    """An image of its own for each seed; size is width and height."""
    generator = np.random.default_rng(zlib.crc32(repr(seed).encode()))
    return Image.fromarray(generator.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def write_image(path, seed=None, size=(16, 12), **options):
    """Write noise to `path`; its name is the seed unless one is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise(path.parts[-2:] if seed is None else seed, size).save(path, **options)
    return path


def raw_folder(root, **classes):
    """A folder of class folders with so many images of each class."""
    for name, count in classes.items():
        for number in range(count):
            write_image(root / name / f'{number:03d}.png')
    return root


def tree(root):
    """The SHA-256 of every file below `root`, by relative path; folders have None."""
    assert root.is_dir(), root
    return {path.relative_to(root).as_posix():
            None if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob('*'))}


def images_of(target, split_folder):
    """`<class>/<file>` of every file in a split's folder, found by walking."""
    root = target / split_folder
    return sorted(path.relative_to(root).as_posix() for path in root.rglob('*') if path.is_file())


def quietly(source, target, **options):
    """Prepare, and return the manifest and what was printed."""
    out = io.StringIO()
    manifest = prepare(source, target, console=Console(file=out, width=200), **options)
    return manifest, out.getvalue()


def names(folder):
    """What a test and the code under test put into `folder`; each test also works in its `cwd`."""
    return sorted(path.name for path in folder.iterdir() if path.name != 'cwd')


def leftovers(folder):
    """Hidden files and folders that a run should have removed."""
    return sorted(path.name for path in Path(folder).iterdir() if path.name.startswith('.'))
