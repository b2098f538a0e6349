import os
import signal
from importlib import metadata

import pytest

from amlnn.command import CommandParser, InsteadOf, run_command
from amlnn.errors import DataError, RunFailed, UsageError


@pytest.fixture(autouse=True)
def keep_the_signal_handler():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def status_of(action, argv=(), capsys=None):
    def main(args):
        return action()
    return run_command(CommandParser('Does it.', 'python it.py'), main, list(argv))


def fail(error):
    raise error


@pytest.mark.parametrize(('action', 'status'), [
    (lambda: None, 0), (lambda: 0, 0), (lambda: 1, 1),
    (lambda: fail(DataError('no data', 'make some')), 2),
    (lambda: fail(RunFailed('diverged')), 1),
    (lambda: fail(KeyboardInterrupt()), 130),
    (lambda: os.kill(os.getpid(), signal.SIGTERM), 143),
    (lambda: fail(ImportError('libGL.so.1: cannot open shared object file')), 2),
    (lambda: fail(ZeroDivisionError('division')), 1),
])
def test_every_end_of_a_command_has_its_exit_status(action, status):
    assert status_of(action) == status


def test_an_error_is_two_lines_on_standard_error(capsys):
    status_of(lambda: fail(DataError('no data set at `x`', 'make one')))
    shown = capsys.readouterr()
    assert shown.err == 'error: no data set at `x`\nhint: make one\n' and shown.out == ''


def test_a_traceback_is_shown_when_it_is_asked_for(capsys):
    status_of(lambda: fail(DataError('no data')), ['--traceback'])
    assert 'in fail' in capsys.readouterr().err


def test_a_wrong_option_is_two_lines_and_status_2(capsys):
    assert status_of(lambda: None, ['--wrong']) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and '--wrong' in lines[0] and '--help' in lines[1]


def test_a_missing_system_library_is_answered_with_the_package_to_install(capsys):
    status_of(lambda: fail(ImportError('libGL.so.1: cannot open shared object file')))
    said = capsys.readouterr().err
    assert 'apt-get install libgl1' in said and 'python -m amlnn.opencv' in said


def test_what_a_loading_worker_raised_is_one_line_without_its_trace(capsys):
    wrapped = ('Caught DataError in DataLoader worker process 0.\nOriginal Traceback (most recent '
               'call last):\n  File "x.py", line 1\namlnn.errors.DataError: `a.png` cannot be read')
    assert status_of(lambda: fail(DataError(wrapped))) == 2
    assert capsys.readouterr().err.splitlines()[0] == 'error: `a.png` cannot be read'


def test_help_ends_with_the_example(capsys):
    with pytest.raises(SystemExit) as end:
        status_of(lambda: None, ['--help'])
    assert end.value.code == 0
    assert capsys.readouterr().out.rstrip().endswith('example:\n  python it.py')


def test_an_option_can_stand_instead_of_positional_arguments():
    def parse(*words):
        command = CommandParser('Does it.', 'python it.py')
        folders = [command.add_argument('source'), command.add_argument('target')]
        command.add_argument('--fetch', action=InsteadOf, instead_of=folders)
        command.add_argument('--seed')
        found = command.parse_args(words)
        return found.source, found.target, found.fetch
    assert parse('a', '--seed', '1', 'b') == ('a', 'b', None)
    assert parse('--seed', '1', '--fetch', 'c') == (None, None, 'c')
    with pytest.raises(UsageError, match='required: target'):
        parse('a')


def test_an_error_of_a_million_signs_is_told_in_lines_that_can_be_read(capsys):
    assert status_of(lambda: fail(DataError('a' * 10**6, 'b' * 10**6))) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith('error: aaa') and hint.startswith('hint: bbb')
    assert 500 < len(error) < 1100 and 500 < len(hint) < 1100


def test_what_would_move_the_cursor_is_shown_and_not_done(capsys):
    status_of(lambda: fail(DataError('`\x1b[2J\u202e`', 'a\x07b\nc')))
    assert capsys.readouterr().err == 'error: `\\x1b[2J\\u202e`\nhint: a\\x07b c\n'


class Wordless(Exception):
    def __str__(self):
        raise RuntimeError('no words')


@pytest.mark.parametrize('error', [KeyError('lost'), Wordless()])
def test_a_failure_of_the_program_itself_leaves_a_report_to_send(tmp_path, monkeypatch, capsys,
                                                                 error):
    (tmp_path / 'own.py').write_text('depth = 18\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('sys.argv', ['tools/train.py', 'own.py'])
    assert status_of(lambda: fail(error)) == 1
    told = capsys.readouterr().err.splitlines()
    [report] = tmp_path.glob('amlnn-error-*.txt')
    assert len(told) == 2 and str(report) in told[1] and 'please send it' in told[1]
    text = report.read_text()
    assert type(error).__name__ in text and 'in fail' in text  # the traceback
    assert "'tools/train.py' 'own.py'" in text and 'depth = 18' in text
    assert f'torch {metadata.version("torch")}' in text
