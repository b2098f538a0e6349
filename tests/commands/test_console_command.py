"""The command `amlnn`, called from an empty folder."""

import ast
import json
import re
import signal
import subprocess
import sys

import pytest
from generated import ROOT

from amlnn import __version__
from amlnn.command import TOOLS, as_called, command_line, example_as_called, process_line
from amlnn.commands.main import main


@pytest.fixture
def amlnn(monkeypatch, capsys):
    """Calls the command in this process: exit status, standard output, standard error."""

    def call(*words: object, script: str = '/env/bin/amlnn') -> tuple[int, str, str]:
        monkeypatch.setattr(sys, 'argv', [script, *map(str, words)])
        before = signal.getsignal(signal.SIGTERM)
        try:
            status = main()
        except SystemExit as end:  # --help and --version
            status = end.code
        finally:
            signal.signal(signal.SIGTERM, before)
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return call


def test_help_lists_every_command_on_a_line_of_its_own_and_ends_with_an_example(amlnn):
    status, shown, _ = amlnn('--help')
    listed = dict(re.findall(r'^  (\w+)  +(.*)$', shown, flags=re.MULTILINE))
    assert status == 0 and set(TOOLS) <= set(listed)
    for name, path in TOOLS.items():
        said = ast.get_docstring(ast.parse((ROOT / path).read_text(encoding='utf-8')))
        assert listed[name] == said.splitlines()[0]
    assert shown.endswith('example:\n  amlnn train amlnn::resnet50_frozen3.py '
                          '--data data/flower_dataset\n')


def test_the_version_is_the_packages(amlnn):
    assert amlnn('--version') == (0, f'amlnn {__version__}\n', '')


@pytest.mark.parametrize(('word', 'hint'), [
    ('trian', 'did you mean `amlnn train`?'), ('chek-config', 'did you mean `amlnn check_config`?'),
    ('sing', 'amlnn --help lists the commands'), ('--hlep', 'amlnn --help'),
    ('', 'amlnn --help lists the commands')])
def test_a_misspelt_command_is_two_lines_and_status_2(amlnn, word, hint):
    status, shown, errors = amlnn(word, 'configs/one.py', '--seed', 1)
    assert (status, shown) == (2, '')
    error, told = errors.splitlines()
    assert error.startswith('error: ') and word in error and told == f'hint: {hint}'


def test_without_a_command_the_help_is_pointed_at(amlnn):
    assert amlnn() == (2, '', 'error: no command is given\nhint: amlnn --help lists the commands\n')


@pytest.mark.parametrize('word', ['check_config', 'check-config'])
def test_a_command_has_either_line_between_its_words(amlnn, word):
    status, shown, errors = amlnn(word, 'amlnn::quickstart/digits_source.py')
    assert (status, errors) == (0, '')
    assert shown.startswith('ok: amlnn::quickstart/digits_source.py (')


def test_preparing_data_has_the_name_of_its_file_too(amlnn):
    for word in ('preprocess', 'data_preprocess', 'data-preprocess'):
        assert amlnn(word, '--to')[2].splitlines()[1] == 'hint: amlnn preprocess --help'


def test_several_wrong_configs_are_each_answered_in_the_users_words(amlnn):
    _, _, errors = amlnn('check_config', 'amlnn::exercise2.py', 'amlnn::resnet50_frozen0.py',
                         '--cfg-options', 'nobody_knows=1')
    assert errors.count('hint: amlnn check_config --show CONFIG prints all keys') == 2


def test_data_that_is_not_in_the_users_folder_is_asked_for_in_the_users_words(amlnn):
    status, _, errors = amlnn('train', 'amlnn::resnet50_frozen3.py')
    error, hint = errors.splitlines()
    assert status == 2 and error == 'error: no data set at `data/flower_dataset`'
    assert hint.startswith('hint: amlnn preprocess <folder of class folders> data/flower_dataset')


@pytest.mark.parametrize(('script', 'called'), [
    ('/env/bin/amlnn', 'amlnn'), ('/env/lib/amlnn/__main__.py', 'python -m amlnn')])
def test_what_was_called_is_recorded_and_what_comes_next_is_said_alike(
        amlnn, write_config, tmp_path, script, called):
    config = write_config(epochs=1)
    status, shown, errors = amlnn('train', config, '--seed', 3, script=script)
    assert (status, errors) == (0, '')
    run, = (path for path in (tmp_path / 'cwd/work_dirs/small').iterdir() if not path.is_symlink())
    assert json.loads((run / 'run.json').read_text())['command'] == \
        [called, 'train', str(config), '--seed', '3']
    best = run.relative_to(tmp_path / 'cwd') / 'best.pth'
    assert shown.splitlines()[-1] == f'{called} test {config} {best}'


# -- how commands are named


@pytest.mark.parametrize('called', ['amlnn', 'python -m amlnn'])
def test_texts_name_commands_as_the_user_called_one(monkeypatch, called):
    text = 'python tools/test.py A, tools/report.py; python data_preprocess.py --download etth1'
    assert as_called(text) == text
    monkeypatch.setattr(sys, 'argv', [called, 'train', 'x.py'])
    assert as_called(text) == f'{called} test A, {called} report; {called} preprocess ' \
                              '--download etth1'
    assert command_line('predict') == f'{called} predict'
    users = 'no file `/a/tools/test.py`, `mytools/test.py`, `./data_preprocess.py`, tools/test.pyc'
    assert as_called(users) == users
    assert example_as_called('python tools/train.py configs/series/a.py --data myconfigs/b.py') == \
        f'{called} train amlnn::series/a.py --data myconfigs/b.py'


def test_every_command_that_a_source_names_is_one():
    named = {path for source in (ROOT / 'amlnn').rglob('*.py') for path in re.findall(
        r'python ((?:tools/)?\w+\.py)', source.read_text(encoding='utf-8'))}
    assert named <= set(TOOLS.values()) and len(named) > 5


@pytest.mark.parametrize('argv0', ['tools/quickstart.py', 'amlnn', 'python -m amlnn'])
def test_a_command_calls_others_in_the_form_in_which_it_was_called(monkeypatch, argv0):
    monkeypatch.setattr(sys, 'argv', [argv0])
    done = subprocess.run([*process_line('check_config'), '--unknown', 'x.py'], cwd=ROOT,
                          capture_output=True, text=True)
    assert done.stderr.splitlines()[1] == f'hint: {command_line("check_config")} --help'
