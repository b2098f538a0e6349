"""The data sets that `data_preprocess.py --download NAME` fetches: a row each.

The sizes and SHA-256 sums are those that other public projects pin for the same file: TensorFlow
Datasets for the flowers, Keras and torchvision for CIFAR-100. The sources of the other three name
no sum; several projects that download from there, independently of each other, have the same.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ['DATA_SETS', 'DownloadableSet', 'download_command']


@dataclass(frozen=True)
class DownloadableSet:
    """One data set: where it comes from, what it becomes, and how to tell that it is whole."""

    name: str
    """What follows --download."""
    title: str
    urls: tuple[str, ...]
    """Of one and the same file, tried in this order."""
    file: str
    """The name of that file."""
    bytes: int
    sha256: str
    folder: str
    """Where the data set is put, unless --to names another folder."""
    becomes: str
    """Its name there: of a folder, or of `file` if that is taken as it is."""
    terms: str
    citation: str
    next_command: str = ''
    """What to do with it; `{target}` stands for where it is, and without that it fits only where
    the data set is put by default."""
    root: str = ''
    """The one folder that the archive consists of; none if `file` is no archive."""
    unpacked_bytes: int = 0
    """More than unpacking takes on a disk."""
    files: Mapping[str, int] = field(default_factory=dict)
    """How many files of the unpacked folder match a pattern."""
    lines: Mapping[str, int] = field(default_factory=dict)
    """How many lines a file has."""


_ETT = 'https://raw.githubusercontent.com/zhouhaoyi/ETDataset/' \
       '1d16c8f4f943005d613b5bc962e9eeb06058cf07/ETT-small/'
_ETT_TERMS = 'CC BY-ND 4.0: may be passed on with credit, unaltered'
_ETT_CITATION = 'Zhou et al., Informer: Beyond Efficient Transformer for Long Sequence ' \
                'Time-Series Forecasting, AAAI 2021'

_ROWS = (
    DownloadableSet(
        name='tiny-imagenet', title='Tiny-ImageNet',
        urls=('https://cs231n.stanford.edu/tiny-imagenet-200.zip',
              'http://cs231n.stanford.edu/tiny-imagenet-200.zip'),
        file='tiny-imagenet-200.zip', bytes=248_100_043,
        sha256='6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821',
        folder='data', becomes='tiny-imagenet-200',
        terms="no licence of its own; ImageNet's terms: non-commercial research and education",
        citation='Stanford CS231n, after Deng et al., ImageNet: A Large-Scale Hierarchical Image '
                 'Database, CVPR 2009',
        next_command='python tools/train.py configs/tiny_imagenet/study_b_resnet50v2.py',
        root='tiny-imagenet-200', unpacked_bytes=600_000_000,
        files={'words.txt': 1, 'train/*/images/*.JPEG': 100_000, 'val/images/*.JPEG': 10_000,
               'test/images/*.JPEG': 10_000},
        lines={'wnids.txt': 200, 'val/val_annotations.txt': 10_000}),
    DownloadableSet(
        name='cifar100', title='CIFAR-100',
        urls=('https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz',),
        file='cifar-100-python.tar.gz', bytes=169_001_437,
        sha256='85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7',
        folder='data', becomes='cifar-100-python',
        terms='no licence named; its authors ask to be cited',
        citation='Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009',
        next_command='python tools/train.py configs/cifar100/study_e_simple_cnn.py',
        root='cifar-100-python', unpacked_bytes=250_000_000,
        files={'train': 1, 'test': 1, 'meta': 1}),
    DownloadableSet(
        name='flowers', title="TensorFlow's flower photographs",
        urls=('https://storage.googleapis.com/download.tensorflow.org/example_images/'
              'flower_photos.tgz',),
        file='flower_photos.tgz', bytes=228_813_984,
        sha256='4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c',
        folder='data/raw', becomes='flowers',
        terms="CC BY 2.0; LICENSE.txt names each photograph's author",
        citation='The TensorFlow Team, Flowers, 2019',
        next_command='python data_preprocess.py {target} data/flower_dataset --train-ratio 0.8 '
                     '--val-ratio 0.2',
        root='flower_photos', unpacked_bytes=300_000_000,
        files={'LICENSE.txt': 1, '*/*.jpg': 3_670, 'daisy/*.jpg': 633, 'dandelion/*.jpg': 898,
               'roses/*.jpg': 641, 'sunflowers/*.jpg': 699, 'tulips/*.jpg': 799}),
    DownloadableSet(
        name='etth1', title='ETTh1', urls=(_ETT + 'ETTh1.csv',), file='ETTh1.csv',
        bytes=2_589_657, sha256='f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066',
        folder='data', becomes='ETTh1.csv', terms=_ETT_TERMS, citation=_ETT_CITATION,
        next_command='python tools/train.py configs/series/etth1_seggru_96.py'),
    DownloadableSet(
        name='etth2', title='ETTh2', urls=(_ETT + 'ETTh2.csv',), file='ETTh2.csv',
        bytes=2_417_960, sha256='a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b',
        folder='data', becomes='ETTh2.csv', terms=_ETT_TERMS, citation=_ETT_CITATION,
        next_command='python benchmarks/etth1.py {target}'),
)

DATA_SETS = {row.name: row for row in _ROWS}


def download_command(path: Path | str) -> str:
    """The command that puts a data set at `path`, for a hint; empty if none has that name.

    >>> download_command('data/ETTh1.csv')
    'python data_preprocess.py --download etth1'
    >>> download_command('elsewhere/tiny-imagenet-200')
    'python data_preprocess.py --download tiny-imagenet --to elsewhere'
    >>> download_command('data/flower_dataset')
    ''
    """
    path = Path(path)
    for row in _ROWS:
        if row.becomes == path.name:
            to = '' if path.parent == Path(row.folder) else f' --to {shlex.quote(str(path.parent))}'
            return f'python data_preprocess.py --download {row.name}{to}'
    return ''
