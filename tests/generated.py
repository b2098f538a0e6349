"""What tests generate: data sets and configs. Nothing is downloaded or read from elsewhere."""

import importlib.util
import pickle
import struct
import textwrap
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image

from amlnn.studies import generated
from amlnn.studies.generated import WNIDS, write_data_set, write_tiny_imagenet

__all__ = ['DATA_SETS', 'ROOT', 'WNIDS', 'config_files', 'load_script', 'write_cifar100',
           'write_colour_folders', 'write_data_set', 'write_python2_pickle',
           'write_python3_pickle', 'write_series', 'write_series_config',
           'write_small_config', 'write_tiny_imagenet']

ROOT = Path(__file__).resolve().parent.parent


def load_script(path: Path):
    """A file that is no part of the package, as a module."""
    spec = importlib.util.spec_from_file_location(f'script_{path.stem}', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def config_files(root: Path = ROOT / 'configs') -> list[Path]:
    """Every config below a folder; sweeps, which are none, lie in a folder of their own."""
    return sorted(path for path in root.rglob('*.py')
                  if path.relative_to(root).parts[0] != 'sweeps')


def write_cifar100(root: Path, *args, write=None, **kwargs) -> Path:
    """As `amlnn.studies.generated` has it, in the pickles of Python 2."""
    return generated.write_cifar100(root, *args, write=write or write_python2_pickle, **kwargs)


# What every experiment is tried on, by the type of its data set: five classes, at least three
# training images and one other of each, as large as the real ones.
DATA_SETS = {
    'ImageNetFolder': lambda root: write_data_set(
        root, sizes={'train': 3, 'val': 1, 'test': 1}, side=32),
    'TinyImageNet': lambda root: write_tiny_imagenet(root, classes=5, train=3, val=1),
    'CIFAR100Python': lambda root: write_cifar100(root, classes=5, train=3, test=1),
}


def write_python3_pickle(path: Path, value: object, protocol: int = 2) -> None:
    """A pickle as this Python and numpy write it."""
    path.write_bytes(pickle.dumps(value, protocol=protocol))


def write_python2_pickle(path: Path, value: object) -> None:
    """A pickle in the opcodes of Python 2 and numpy 1: byte strings, `numpy.core.multiarray`."""
    path.write_bytes(b'\x80\x02' + _python2_opcodes(value) + b'.')


def _python2_opcodes(value: object) -> bytes:
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return (b'U' + bytes([len(value)]) if len(value) < 256
                else b'T' + struct.pack('<i', len(value))) + value
    if isinstance(value, int):
        return b'J' + struct.pack('<i', value)
    if isinstance(value, list):
        return b'](' + b''.join(map(_python2_opcodes, value)) + b'e'
    if isinstance(value, dict):
        return b'}(' + b''.join(_python2_opcodes(each) for pair in value.items()
                                for each in pair) + b'u'
    kind = b'cnumpy\ndtype\n' + _python2_opcodes(value.dtype.str[1:]) + b'K\x00K\x01\x87R' \
        b'(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb'
    shape = b'(' + b''.join(_python2_opcodes(size) for size in value.shape) + b't'
    return b'cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R' \
        b'(K\x01' + shape + kind + b'\x89' + _python2_opcodes(value.tobytes()) + b'tb'


def write_small_config(path: Path, data_root: Path, text: str = '', epochs: int = 2) -> Path:
    """A config that trains a narrow ResNet18 on generated data for a second or two."""
    base = path.with_name(f'base_of_{path.name}')
    base.write_text(textwrap.dedent(f'''\
        _base_ = {str(ROOT / 'configs/quickstart/digits_source.py')!r}
        model = dict(backbone=dict(stem_channels=16, base_channels=16), head=dict(in_channels=128))
        '''))
    path.write_text(textwrap.dedent(f'''\
        _base_ = {base.name!r}
        train_dataloader = dict(batch_size=10, dataset=dict(data_root={str(data_root)!r}))
        val_dataloader = dict(dataset=dict(data_root={str(data_root)!r}))
        test_dataloader = dict(dataset=dict(data_root={str(data_root)!r}))
        train_cfg = dict(max_epochs={epochs})
        execution = dict(precision='fp32')
        ''') + textwrap.dedent(text))
    return path


def write_series(path: Path, rows: int = 400, columns: int = 2, seed: int = 0,
                 names: list[str] | None = None) -> Path:
    """An hourly series as CSV: a daily cycle of each column under noise."""
    random = np.random.default_rng(seed)
    hours = np.arange(rows)
    values = [np.sin(2 * np.pi * (hours + 3 * place) / 24) * (1 + place) + 10 * place
              + random.normal(0, 0.3, rows) for place in range(columns)]
    names = names or [f'c{place}' for place in range(columns)]
    lines = [','.join(['date', *names])]
    for hour, row in zip(hours, np.transpose(values), strict=True):
        time = datetime(2020, 1, 1) + timedelta(hours=int(hour))
        lines.append(','.join([str(time), *(f'{value:.6f}' for value in row)]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return path


def write_series_config(path: Path, series: Path, text: str = '', epochs: int = 2) -> Path:
    """A config that trains a small GRU on a generated series for a moment."""
    base = path.with_name(f'base_of_{path.name}')
    base.write_text(textwrap.dedent(f'''\
        _base_ = {str(ROOT / 'configs/series/hourly_gru.py')!r}
        model = dict(encoder=dict(hidden_size=8, dropout=0.2))
        train_dataloader = dict(
            batch_size=16,
            dataset=dict(
                source=dict(_delete_=True, type='CSVSeries', path={str(series)!r}),
                look_back=24, horizon=6, stride=4))
        '''))
    path.write_text(textwrap.dedent(f'''\
        _base_ = {base.name!r}
        train_cfg = dict(max_epochs={epochs})
        ''') + textwrap.dedent(text))
    return path


def write_colour_folders(folder: Path, images: int = 14, side: int = 40, noise: int = 120,
                         colour: int = 120) -> Path:
    """Class folders `blue`, `green` and `red`, whose images are noise with more of the colour."""
    generator = np.random.default_rng(0)
    for label, name in enumerate(('blue', 'green', 'red')):
        (folder / name).mkdir(parents=True)
        for number in range(images):
            pixels = generator.integers(0, noise, (side, side, 3), np.uint8)
            pixels[..., 2 - label] += colour
            Image.fromarray(pixels).save(folder / name / f'{number:02d}.png')
    return folder
