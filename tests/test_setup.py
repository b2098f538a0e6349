"""What was installed is what the project says it needs."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib

import pytest
from generated import ROOT
from packaging.requirements import Requirement


def requirements(name: str) -> list[Requirement]:
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(('#', '-'))]


def test_torch_and_torchvision_are_of_one_build():
    import torch
    import torchvision.ops
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30]])
    kept = torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5)
    assert kept.tolist() == [0, 2]  # the first two overlap by two thirds


def installed_name(name: str) -> str:
    """A bare machine has the OpenCV without windows; see amlnn/opencv.py."""
    if name == 'opencv-python' and not list(importlib.metadata.distributions(name=name)):
        return 'opencv-python-headless'
    return name


def test_every_installed_requirement_is_pinned_and_fits():
    pins = requirements('constraints')
    assert len(pins) > 50
    for wanted in requirements('runtime') + requirements('dev'):
        if wanted.marker and not wanted.marker.evaluate():
            continue
        version = importlib.metadata.version(installed_name(wanted.name))
        assert wanted.specifier.contains(version, prereleases=True), wanted
        names = [pin for pin in pins if pin.name.lower() == wanted.name.lower()]
        assert names, f'{wanted.name} is not in constraints.txt: make lock'


def test_no_requirement_file_holds_an_address_or_an_unpinned_constraint():
    for path in (ROOT / 'requirements').glob('*.txt'):
        assert '://' not in path.read_text()
    for line in (ROOT / 'requirements/constraints.txt').read_text().splitlines():
        assert re.match(r'^[\w.-]+==\S+', line), line


def test_the_packages_metadata_names_the_runtime_requirements():
    named = {Requirement(text).name for text in importlib.metadata.requires('amlnn')
             if 'extra' not in text}
    assert named == {requirement.name for requirement in requirements('runtime')}


def test_every_file_of_the_package_that_is_not_python_is_declared_for_the_wheel():
    settings = tomllib.loads((ROOT / 'pyproject.toml').read_text())['tool']['setuptools']
    declared = {path for package, patterns in settings['package-data'].items()
                for pattern in patterns
                for path in (ROOT / package.replace('.', '/')).glob(pattern)}
    there = {path for path in (ROOT / 'amlnn').rglob('*')
             if path.is_file() and path.suffix not in ('.py', '.pyc')}
    assert there == declared and len(there) >= 3


@pytest.mark.slow
def test_importing_the_engine_reaches_for_no_network():
    code = ('import socket\n'
            'def refuse(*args, **kwargs): raise AssertionError("network")\n'
            'socket.socket.connect = refuse\nsocket.getaddrinfo = refuse\n'
            'import amlnn.engine.train, amlnn.engine.predict, amlnn.report.page\n')
    subprocess.run([sys.executable, '-c', code], check=True, capture_output=True, cwd=ROOT)


@pytest.mark.slow
def test_the_quickstart_passes_95_percent_with_nothing_frozen_and_ends_in_a_report(tmp_path):
    import shutil

    from amlnn.records import read_test
    for name in ('configs', 'tools', 'data_preprocess.py'):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    done = subprocess.run([sys.executable, 'tools/quickstart.py'], cwd=tmp_path, text=True,
                          check=True, capture_output=True)
    shown = done.stdout
    assert all(line.startswith('pretrained: ') for line in done.stderr.splitlines())
    first = shown.partition('writing the digits')[0]
    for photograph, name in (('china.jpg', 'palace'), ('flower.jpg', 'daisy')):
        (line,) = [line for line in first.splitlines() if line.startswith(photograph)]
        assert name in line and len(line.split('  ')) == 6
    for name in ('digits_source', 'digits_frozen0'):
        tested = read_test(tmp_path / f'work_dirs/{name}/latest/test_test.json')
        assert tested.metrics['accuracy/top1'] > 95
    assert shown.strip().endswith('reports/quickstart/index.html')
    assert (tmp_path / 'reports/quickstart/index.html').is_file()
