"""A folder that is swapped for another; crashes of whole commands are in tests/data."""

import pytest

from amlnn.errors import DataError
from amlnn.folder_swap import replacing_folder, work_folder


def ours(names):
    return 'page' in names


def notes(folder):
    return [path for path in folder.iterdir() if path.name.startswith('note')]


def replace(target, text='new', more=(), overwrite=True):
    with replacing_folder(target, overwrite, ours, 'page', notes) as work:
        (work / 'new').mkdir()
        for name in ('page', *more):
            (work / 'new' / name).write_text(text)


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.fixture
def target(tmp_path):
    replace(tmp_path / 'folders' / 'out', 'old', ['note 1', 'note 2', 'rest'])
    return tmp_path / 'folders' / 'out'


def test_what_is_kept_moves_along_unless_the_new_folder_has_its_name(target):
    replace(target, more=['note 2'])
    assert contents(target) == {'page': 'new', 'note 1': 'old', 'note 2': 'new'}
    assert [path.name for path in target.parent.iterdir()] == ['out']


def test_what_a_crash_amid_the_moving_left_behind_is_moved_by_the_next_run(target):
    work = work_folder(target)
    work.mkdir()
    target.rename(work / 'old')
    target.mkdir()
    (target / 'page').write_text('new')
    (work / 'old' / 'note 1').rename(target / 'note 1')
    replace(target, 'newer')
    assert contents(target) == {'page': 'newer', 'note 1': 'old', 'note 2': 'old'}
    assert not work.exists()


def test_a_crash_between_the_renames_is_taken_back(target):
    before = contents(target)
    work_folder(target).mkdir()
    target.rename(work_folder(target) / 'old')
    with pytest.raises(RuntimeError), replacing_folder(target, True, ours, 'page', notes):
        raise RuntimeError
    assert contents(target) == before
    assert [path.name for path in target.parent.iterdir()] == ['out']


def test_two_at_a_time_on_one_folder_are_refused(target):
    with replacing_folder(target, True, ours) as work:
        (work / 'new').mkdir()
        with pytest.raises(DataError, match='another run is writing'):
            replace(target)
    assert contents(target) == {}


def test_messages_name_what_was_to_be_made(tmp_path, target):
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full' / 'thesis').write_text('years of work')
    with pytest.raises(DataError, match='no page that could be replaced'):
        replace(tmp_path / 'full')
    with pytest.raises(DataError, match='a file') as caught:
        replace(tmp_path / 'full' / 'thesis')
    assert 'the page' in caught.value.hint
    with pytest.raises(DataError, match='exists') as caught:
        replace(target, overwrite=False)
    assert '--overwrite' in caught.value.hint
