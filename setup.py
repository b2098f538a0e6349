"""Reads the dependencies from requirements/, so that they are written down once."""

from pathlib import Path

from setuptools import setup


def requirements(name):
    """The packages a file of requirements/ names, without comments and options."""
    lines = (Path(__file__).parent / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith(('#', '-'))]


setup(install_requires=requirements('runtime'),
      extras_require={'dev': requirements('dev'), 'all': requirements('optional')})
