"""What runs elsewhere - the public CI, the hooks of a commit - is what runs here."""

import re
import shutil
import tomllib

import pytest
import yaml
from generated import ROOT
from packaging.specifiers import SpecifierSet

PROJECT = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
PYTHONS = [f'3.{minor}' for minor in range(50)
           if SpecifierSet(PROJECT['requires-python']).contains(f'3.{minor}.0')]
MAKEFILE = (ROOT / 'Makefile').read_text()


def job() -> dict:
    text = (ROOT / '.github/workflows/test.yml').read_text()
    return yaml.safe_load(text)['jobs']['test']


def test_every_supported_python_is_tested_and_no_other():
    assert len(PYTHONS) >= 3
    assert job()['strategy']['matrix']['python'] == PYTHONS
    uses = [step['with']['python-version'] for step in job()['steps'] if 'python-version' in
            step.get('with', {})]
    assert uses == ['${{ matrix.python }}']


def test_classifiers_where_there_are_any_name_the_same_pythons():
    named = [text.rpartition(' ')[2] for text in PROJECT.get('classifiers', ())
             if re.fullmatch(r'Programming Language :: Python :: 3\.\d+', text)]
    assert named in ([], PYTHONS)


def test_make_setup_takes_the_same_pythons():
    first, last = re.search(r'not \((3, \d+)\) <= sys.version_info\[:2\] <= \((3, \d+)\)',
                            MAKEFILE).groups()
    assert [first.replace(', ', '.'), last.replace(', ', '.')] == [PYTHONS[0], PYTHONS[-1]]
    assert f'{", ".join(PYTHONS[:-1])} or {PYTHONS[-1]}' in MAKEFILE


def test_the_public_ci_runs_what_any_other_runs():
    commands = [step['run'] for step in job()['steps'] if 'run' in step]
    assert commands[-1] == '.ci/run'
    assert (ROOT / '.ci/run').stat().st_mode & 0o111
    assert 'make test' in (ROOT / '.ci/run').read_text()
    assert {'libgl1', 'libglib2.0-0'} <= set(commands[0].split())


@pytest.mark.parametrize('name', ['.github/workflows/test.yml', '.pre-commit-config.yaml'])
def test_nothing_names_a_host(name):
    assert not re.search(r'://|\w\.(com|org|io)\b', (ROOT / name).read_text())


def test_the_hooks_are_the_tools_that_lint_runs():
    (local,) = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())['repos']
    assert local['repo'] == 'local'
    lint = re.search(r'^lint:.*\n((?:\t.*\n)+)', MAKEFILE, re.M)[1]
    linted = re.findall(r'\$\(BIN\)/(\w+)', lint)
    hooks = {hook['id']: hook for hook in local['hooks']}
    assert list(hooks) == linted == ['ruff', 'mypy']
    for name, hook in hooks.items():
        assert hook['language'] == 'system'
        assert hook['entry'].split()[0] == f'.venv/bin/{name}'
        assert shutil.which(f'{ROOT}/.venv/bin/{name}') or shutil.which(name)
