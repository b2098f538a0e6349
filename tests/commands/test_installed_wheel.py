"""The wheel in an environment of its own, used from a folder that holds nothing."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest
from generated import ROOT
from PIL import Image

from amlnn import __version__
from amlnn.records import read_test

pytestmark = pytest.mark.slow

SOURCES = ('amlnn', 'configs', 'requirements', 'setup.py', 'pyproject.toml', 'MANIFEST.in',
           'README.md', 'LICENSE', 'tests', 'tools', 'docs', 'benchmarks', 'data_preprocess.py')


def done(*words: object, cwd: Path, **how) -> str:
    """Standard output of a process that has to succeed and to say nothing wrong."""
    run = subprocess.run([str(word) for word in words], cwd=cwd, capture_output=True, text=True,
                         **how)
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout


def major(name: str) -> int:
    try:
        return int(version(name).partition('.')[0])
    except PackageNotFoundError:
        return 0


@pytest.fixture(scope='module')
def built(tmp_path_factory) -> dict[str, Path]:
    """Wheels of the sources, of the source distribution, and of the sources after a change."""
    if major('setuptools') < 77 or not major('pip'):
        pytest.skip('building without network needs setuptools 77 and pip in this environment')
    folder = tmp_path_factory.mktemp('built')
    copy = folder / 'copy'
    for name in SOURCES:
        source = ROOT / name
        ignore = shutil.ignore_patterns('__pycache__', '.*')
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=ignore)
        else:
            shutil.copy(source, copy / name)
    backend = 'import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])'
    done(sys.executable, '-c', backend, folder, cwd=copy)
    with tarfile.open(folder / f'amlnn-{__version__}.tar.gz') as archive:
        archive.extractall(folder / 'unpacked', filter='data')

    def wheel(name: str, sources: Path) -> Path:
        done(sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps', '--no-index',
             '--no-build-isolation', '--wheel-dir', folder / name, sources, cwd=folder)
        return next((folder / name).glob('*.whl'))

    wheels = {'sdist': wheel('sdist', next((folder / 'unpacked').iterdir())),
              'sources': wheel('sources', copy)}
    (copy / 'configs/resnet50_baseline.py').rename(copy / 'configs/renamed.py')
    assert (copy / 'build').is_dir()  # what the build before left
    return wheels | {'again': wheel('again', copy)}


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.endswith('/')}


def test_a_wheel_holds_the_package_and_the_configs_and_nothing_else(built):
    found = names_in(built['sources'])
    assert {name.split('/')[0] for name in found} == {'amlnn', f'amlnn-{__version__}.dist-info'}
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / 'amlnn').rglob('*')
               if path.is_file() and '__pycache__' not in path.parts}
    configs = {'amlnn/.mim/' + path.relative_to(ROOT).as_posix()
               for path in (ROOT / 'configs').rglob('*')
               if path.is_file() and '__pycache__' not in path.parts}
    assert len(configs) > 100
    assert {name for name in found if name.startswith('amlnn/')} == package | configs
    assert names_in(built['sdist']) == found


def test_a_later_build_in_the_same_place_forgets_configs_that_are_gone(built):
    configs = {Path(path).name for path in names_in(built['again']) if '/.mim/configs/' in path}
    assert 'renamed.py' in configs and 'resnet50_baseline.py' not in configs


@pytest.fixture(scope='module')
def installed(built, tmp_path_factory) -> Path:
    """The `amlnn` of a fresh environment, which sees this one's packages, but not this project."""
    env = tmp_path_factory.mktemp('env') / 'env'
    done(sys.executable, '-m', 'venv', '--without-pip', env, cwd=env.parent)
    python = env / 'bin/python'
    done(sys.executable, '-m', 'pip', '--python', python, 'install', '--quiet', '--no-deps',
         '--no-index', built['sdist'], cwd=env.parent)
    site = Path(done(python, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))',
                     cwd=env.parent).strip())
    # A line of a .pth adds a folder to the path, whose own .pth files are not read: the editable
    # amlnn of this environment is not seen.
    (site / 'this_environment.pth').write_text(f'{sysconfig.get_path("purelib")}\n')
    return env / 'bin/amlnn'


def write_raw_images(folder: Path) -> None:
    """Two classes of ten images each, red and blue."""
    random = np.random.default_rng(0)
    for name, colour in (('blue', (30, 30, 200)), ('red', (200, 30, 30))):
        (folder / name).mkdir(parents=True)
        for number in range(10):
            pixels = np.clip(random.normal(colour, 20, (40, 40, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f'{number}.png')


def files_of(folder: Path) -> set[tuple[str, int]]:
    return {(str(path), path.stat().st_mtime_ns) for path in folder.rglob('*')
            if path.is_file() and '__pycache__' not in path.parts}


def test_from_an_empty_folder_data_are_prepared_trained_tested_predicted_and_reported(
        installed, tmp_path):
    own, home = tmp_path / 'own', tmp_path / 'home'
    own.mkdir()
    home.mkdir()
    env = {name: value for name, value in os.environ.items()
           if not name.startswith(('AMLNN', 'PYTHON', 'XDG', 'VIRTUAL_ENV'))} | {'HOME': str(home)}

    def amlnn(*words: object) -> str:
        return done(installed, *words, cwd=own, env=env)

    before = files_of(installed.parents[1])
    assert 'check_config' in amlnn('--help')
    for config in ('amlnn::resnet50_baseline.py', 'amlnn::series/hourly_seggru.py'):
        assert amlnn('check_config', config).startswith(f'ok: {config} (')
    assert not any(own.iterdir())

    (own / 'mine.py').write_text(
        "_base_ = 'amlnn::quickstart/digits_source.py'\n"
        'model = dict(backbone=dict(stem_channels=16, base_channels=16),\n'
        '             head=dict(in_channels=128))\n'
        'train_cfg = dict(max_epochs=1)\n')
    origin = amlnn('check_config', 'mine.py', '--origin', 'val_dataloader.dataset.split')
    assert origin.startswith('val_dataloader.dataset.split: amlnn::_base_/datasets/')
    write_raw_images(own / 'raw')
    shown = amlnn('preprocess', 'raw', 'data/two', '--train-ratio', '0.6', '--val-ratio', '0.2',
                  '--test-ratio', '0.2')
    assert shown.endswith('next: amlnn train amlnn::resnet50_frozen3.py --data data/two\n')
    shown = amlnn('train', 'mine.py', '--data', 'data/two', '--device', 'cpu')
    words = shown.splitlines()[-1].split(' ')
    assert words[:2] == ['amlnn', 'test'] and re.fullmatch(
        r'work_dirs/mine/[\w-]+/config\.py', words[2])  # which knows of --data
    checkpoint = words[-1]
    amlnn(*words[1:], '--data', 'data/two', '--device', 'cpu')
    shown = amlnn('predict', 'mine.py', checkpoint, 'raw/red/0.png', '--json', '--device', 'cpu')
    assert {each['name'] for each in json.loads(shown)['topk']} == {'blue', 'red'}

    # One of the project's own, by its name: folder, record and the next command.
    shown = amlnn('train', 'amlnn::series/hourly_gru.py', '--device', 'cpu', '--cfg-options',
                  'train_cfg.max_epochs=1', 'model.encoder.hidden_size=4')
    words = shown.splitlines()[-1].split(' ')
    assert words[:2] == ['amlnn', 'test'] and re.fullmatch(
        r'work_dirs/hourly_gru/[\w-]+/config\.py', words[2])  # which knows of --cfg-options
    amlnn(*words[1:], '--device', 'cpu')
    assert amlnn('report', 'work_dirs', '--out', 'reports/all').endswith('reports/all/index.html\n')

    assert read_test(own / 'work_dirs/mine/latest/test_test.json').samples == 4
    for name, path in (('mine', 'mine.py'), ('hourly_gru', 'amlnn::series/hourly_gru.py')):
        text = (own / f'work_dirs/{name}/latest/run.json').read_text(encoding='utf-8')
        record = json.loads(text)
        assert (record['config_name'], record['config_path']) == (name, path)
        assert record['command'][:3] == ['amlnn', 'train', path]
        assert str(ROOT) not in text and str(installed.parents[1]) not in text
    assert {path.name for path in own.iterdir()} == {'mine.py', 'raw', 'data', 'work_dirs',
                                                     'reports'}
    assert files_of(installed.parents[1]) == before
    # Of the user's own folders only the caches of libraries and of amlnn were made.
    assert {path.name for path in home.iterdir()} <= {'.cache', '.config'}
