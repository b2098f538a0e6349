"""Small generated image data sets, in the layouts of the real ones, to try a study out on."""

import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import Image

__all__ = ['CLASSES', 'SIZES', 'WNIDS', 'WORDS', 'write_cifar100', 'write_data_set',
           'write_tiny_imagenet']

CLASSES = ('daisy', 'dandelion', 'rose', 'sunflower', 'tulip')
SIZES = MappingProxyType({'train': 8, 'val': 4, 'test': 2})


def write_data_set(root: Path, classes: Sequence[str] = CLASSES,
                   sizes: Mapping[str, int] = SIZES, seed: int = 0, side: int = 40) -> Path:
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
                   test: int = 2, seed: int = 0,
                   write: Callable[[Path, object], None] | None = None) -> Path:
    """A learnable CIFAR-100 in its python layout: each class has a colour and a stripe's place.

    Args:
        root: The folder, which is made.
        classes: Fine classes; the real one has 100.
        superclasses: Coarse classes, 20 in the real one; fine class n is in n % superclasses.
        train: Training images of each fine class, 500 in the real one.
        test: Evaluation images of each fine class, 100 in the real one.
        seed: Of everything random.
        write: Writes one value to a file; by default as this Python does.
    """
    write = write or _write_pickle
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


def _write_pickle(path: Path, value: object) -> None:
    path.write_bytes(pickle.dumps(value, protocol=2))
