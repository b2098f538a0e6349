"""Files that appear whole: what a killed writer leaves, several writers, and names others made."""

import os
import subprocess
import sys

import pytest
from generated import ROOT

from amlnn import atomic, locks
from amlnn.atomic import link_or_copy, replacing, write_text

KILLED = '''
import os, signal, sys
from amlnn.atomic import replacing
with replacing(sys.argv[1]) as temporary:
    temporary.write_text('half of a long text')
    os.kill(os.getpid(), signal.SIGKILL)
'''


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / 'folder'
    made.mkdir()
    return made


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def kill_a_writer_of(path):
    ended = subprocess.run([sys.executable, '-c', KILLED, str(path)],
                           env={**os.environ, 'PYTHONPATH': str(ROOT)})
    assert ended.returncode < 0


def test_what_killed_writers_leave_is_gone_with_the_next_who_writes_the_file(folder):
    for _ in range(3):
        kill_a_writer_of(folder / 'a.txt')
    assert len(names(folder)) == 1 and 'a.txt' not in names(folder)
    write_text(folder / 'a.txt', 'whole')
    assert names(folder) == ['a.txt'] and (folder / 'a.txt').read_text() == 'whole'


def test_what_a_killed_writer_leaves_is_named_as_left_over(folder):
    kill_a_writer_of(folder / 'a.txt')
    assert [path.name for path in atomic.left_over(folder)] == names(folder)


@pytest.mark.parametrize('fails', [False, True])
def test_two_who_write_one_file_do_not_meet(folder, fails):
    path = folder / 'a.txt'
    with replacing(path) as one:
        one.write_text('one')
        try:
            with replacing(path) as two:
                assert one != two
                two.write_text('two')
                if fails:
                    raise KeyError
        except KeyError:
            pass
        assert one.read_text() == 'one' and path.exists() != fails
    assert path.read_text() == 'one' and names(folder) == ['a.txt']


def test_who_fails_after_the_file_is_there_does_not_take_away_what_another_has_begun(
        folder, monkeypatch):
    path, move = folder / 'a.txt', os.replace
    begun = []

    def stopped(source, target):
        move(source, target)
        other = replacing(path)
        begun.append((other, other.__enter__()))
        begun[0][1].write_text('of another')
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, 'replace', stopped)
        with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
            temporary.write_text('first')
    other, name = begun[0]
    assert path.read_text() == 'first' and name.read_text() == 'of another'
    other.__exit__(None, None, None)
    assert path.read_text() == 'of another' and names(folder) == ['a.txt']


@pytest.mark.parametrize('make', ['symlink_to', 'hardlink_to', 'mkdir'])
def test_a_link_of_the_name_that_is_known_is_not_written_through(make, folder):
    with replacing(folder / 'a.txt') as known:
        known.write_text('')
    theirs = folder / 'theirs.txt'
    theirs.write_text('precious')
    getattr(known, make)(*[theirs] if make != 'mkdir' else [])
    write_text(folder / 'a.txt', 'whole')
    assert theirs.read_text() == 'precious' and (folder / 'a.txt').read_text() == 'whole'
    assert not (folder / 'a.txt').is_symlink() and not (folder / 'a.txt').samefile(theirs)


def test_a_disk_without_locks_has_files_written_all_the_same(folder, monkeypatch):
    monkeypatch.setattr(locks, 'fcntl', None)
    with replacing(folder / 'a.txt') as one, replacing(folder / 'a.txt') as two:
        assert one != two
        for each in (one, two):
            each.write_text('whole')
    assert names(folder) == ['a.txt']


def test_a_link_stays_one_where_a_killed_writer_left_something(folder):
    source = folder / 'source.txt'
    source.write_text('linked')
    kill_a_writer_of(folder / 'a.txt')
    link_or_copy(source, folder / 'a.txt')
    assert (folder / 'a.txt').samefile(source)
