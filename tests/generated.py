"""What tests generate: data sets and configs. Nothing is downloaded or read from elsewhere."""

import pickle
import struct
import textwrap
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
CLASSES = ('daisy', 'dandelion', 'rose', 'sunflower', 'tulip')
SIZES = {'train': 8, 'val': 4, 'test': 2}


def write_data_set(root: Path, classes=CLASSES, sizes=SIZES, seed: int = 0, side: int = 40) -> Path:
    """A learnable data set in ImageNet format: each class has a colour, each image noise."""
    random = np.random.default_rng(seed)
    colours = random.integers(40, 216, size=(len(classes), 3))
    root.mkdir(parents=True)
    (root / 'classes.txt').write_text(''.join(f'{name}\n' for name in classes), encoding='utf-8')
    folders = {'train': 'training_set', 'val': 'val_set', 'test': 'test_set'}
    for split, count in sizes.items():
        lines = []
        for label, name in enumerate(classes):
            folder = root / folders[split] / name
            folder.mkdir(parents=True)
            for number in range(count):
                noise = random.normal(0, 25, size=(side, side, 3))
                pixels = np.clip(colours[label] + noise, 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f'{number}.png')
                lines.append(f'{name}/{number}.png {label}\n')
        (root / f'{split}.txt').write_text(''.join(lines), encoding='utf-8')
    return root


WNIDS = ('n01443537', 'n01629819', 'n02056570', 'n03444034', 'n04070727')
"""Goldfish, salamander, king penguin, go-kart, refrigerator."""

WORDS = ('goldfish, Carassius auratus', 'European fire salamander', 'king penguin', 'go-kart',
         'refrigerator, icebox')


def write_tiny_imagenet(root: Path, classes: int = 5, train: int = 6, val: int = 2, seed: int = 0,
                        side: int = 64) -> Path:
    """A learnable Tiny-ImageNet in its own layout, its classes in disorder and out of place.

    `val` images of each class lie together in val/images, named so that no order tells the class.
    """
    random = np.random.default_rng(seed)
    wnids, colours = WNIDS[:classes], random.integers(40, 216, size=(classes, 3))
    root.mkdir(parents=True)
    (root / 'wnids.txt').write_text(''.join(f'{wnid}\n' for wnid in reversed(wnids)))
    lines = [f'{wnid}\t{words}\n' for wnid, words in zip(WNIDS, WORDS, strict=True)]
    (root / 'words.txt').write_text('n00001740\tentity\n' + ''.join(lines))

    def save(path: Path, label: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = random.normal(0, 25, size=(side, side, 3))
        pixels = np.clip(colours[label] + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(path, quality=90)

    for label, wnid in enumerate(wnids):
        for number in range(train):
            save(root / f'train/{wnid}/images/{wnid}_{number}.JPEG', label)
        (root / f'train/{wnid}/{wnid}_boxes.txt').write_text(f'{wnid}_0.JPEG\t0\t0\t9\t9\n')
    labels = random.permutation(np.repeat(np.arange(classes), val))
    for number, label in enumerate(labels):
        save(root / f'val/images/val_{number}.JPEG', label)
    (root / 'val/val_annotations.txt').write_text(''.join(
        f'val_{number}.JPEG\t{wnids[label]}\t0\t0\t9\t9\n'
        for number, label in enumerate(labels)))
    return root


def write_cifar100(root: Path, classes: int = 6, superclasses: int = 3, train: int = 6,
                   test: int = 2, seed: int = 0, write=None) -> Path:
    """A learnable CIFAR-100 in its python layout: each class has a colour and a stripe's place.

    Args:
        root: The folder, which is made.
        classes: Fine classes; the real one has 100.
        superclasses: Coarse classes, 20 in the real one; fine class n is in n % superclasses.
        train: Training images of each fine class, 500 in the real one.
        test: Evaluation images of each fine class, 100 in the real one.
        seed: Of everything random.
        write: Writes one value to a file; by default as Python 2 did.
    """
    write = write or write_python2_pickle
    random = np.random.default_rng(seed)
    colours = random.integers(40, 216, size=(classes, 3, 1, 1))
    rows = random.permutation(classes) * 28 // max(classes - 1, 1)
    root.mkdir(parents=True)
    write(root / 'meta', {'fine_label_names': [f'fine_{n}' for n in range(classes)],
                          'coarse_label_names': [f'coarse_{n}' for n in range(superclasses)]})
    for name, each in (('train', train), ('test', test)):
        fine = random.permutation(np.repeat(np.arange(classes), each))
        images = colours[fine] + random.normal(0, 25, size=(len(fine), 3, 32, 32))
        for image, label in zip(images, fine, strict=True):
            image[:, rows[label]:rows[label] + 4] = 255 - image[:, rows[label]:rows[label] + 4]
        write(root / name, {
            'filenames': [f'fine_{label}_s_{n:06}.png' for n, label in enumerate(fine)],
            'batch_label': f'{name}ing batch 1 of 1', 'fine_labels': fine.tolist(),
            'coarse_labels': (fine % superclasses).tolist(),
            'data': np.clip(images, 0, 255).astype(np.uint8).reshape(len(fine), -1)})
    return root


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
