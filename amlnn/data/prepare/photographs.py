"""Two real photographs, embedded in scikit-learn: something to predict that needs no download."""

import shutil
from pathlib import Path

from amlnn.atomic import replacing

__all__ = ['write_photographs']


def write_photographs(folder: Path) -> None:
    """Write the photographs of scikit-learn, a temple (china.jpg) and a flower (flower.jpg).

    Args:
        folder: Where they go; it is made if need be.
    """
    from sklearn import datasets
    for source in sorted((Path(datasets.__file__).parent / 'images').glob('*.jpg')):
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / source.name) as path:
            shutil.copyfile(source, path)
