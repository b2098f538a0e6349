"""Data and configs that tests generate: nothing is downloaded, nothing is read from elsewhere."""

import importlib.util
import signal
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amlnn.command import run_command

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


@pytest.fixture(scope='session')
def data_set(tmp_path_factory) -> Path:
    """Five classes, 40 training, 20 validation and 10 test images of 40 pixels."""
    return write_data_set(tmp_path_factory.mktemp('data') / 'flowers')


@pytest.fixture
def write_config(tmp_path, data_set) -> Callable[..., Path]:
    """Writes a config that trains a ResNet18 on the generated data for a second or two."""

    def write(text: str = '', name: str = 'small.py', data_root: Path = data_set,
              epochs: int = 2) -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(f'''\
            _base_ = {str(ROOT / 'configs/quickstart/digits_source.py')!r}
            train_dataloader = dict(batch_size=10, dataset=dict(data_root={str(data_root)!r}))
            val_dataloader = dict(dataset=dict(data_root={str(data_root)!r}))
            test_dataloader = dict(dataset=dict(data_root={str(data_root)!r}))
            train_cfg = dict(max_epochs={epochs})
            execution = dict(precision='fp32')
            ''') + textwrap.dedent(text))
        return path

    return write


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    """No test writes into the project."""
    folder = tmp_path / 'cwd'
    folder.mkdir()
    monkeypatch.chdir(folder)


@pytest.fixture
def run_tool(capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs tools/NAME.py in this process: exit status, standard output, standard error."""

    def run(name: str, *words: object) -> tuple[int, str, str]:
        spec = importlib.util.spec_from_file_location(f'tool_{name}', ROOT / f'tools/{name}.py')
        tool = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(tool)
        before = signal.getsignal(signal.SIGTERM)
        try:
            status = run_command(tool.parser(), tool.main, [str(word) for word in words])
        finally:
            signal.signal(signal.SIGTERM, before)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
