"""What tests generate: data sets and configs. Nothing is downloaded or read from elsewhere."""

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
