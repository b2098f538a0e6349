"""Runs under clocks that jump, in other time zones, on other disks, and in folders of any name."""

import os
import shlex
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from generated import write_series, write_series_config

from amlnn import run_folder
from amlnn.engine.run.hooks import EpochHook
from amlnn.engine.train import TrainOptions, train
from amlnn.records import read_run
from amlnn.results.store import find_runs
from amlnn.run_folder import RUN_NAME

EPOCHS = 2


@pytest.fixture
def clock(monkeypatch):
    """Sets the time that runs see; it stands still until it is set again."""

    def at(text: str) -> None:
        class Stopped(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.fromisoformat(text).replace(tzinfo=UTC).astimezone(tz)

        monkeypatch.setattr(run_folder, 'datetime', Stopped)

    return at


@pytest.fixture
def zone(monkeypatch):
    """Sets the time zone."""

    def at(name: str) -> None:
        monkeypatch.setenv('TZ', name)
        time.tzset()

    yield at
    monkeypatch.undo()
    time.tzset()


def config_in(folder: Path) -> Path:
    return write_series_config(folder / 'c.py', write_series(folder / 's.csv'), epochs=EPOCHS)


def stopped(config: Path, work_dir: Path) -> Path:
    """A run that was stopped before its second epoch was recorded."""
    original = EpochHook.after_epoch_metrics

    def stopping(hook, runner, metrics):
        if runner.epoch == 2 and runner.folder.parent == work_dir:  # not in the rehearsal
            raise KeyboardInterrupt
        return original(hook, runner, metrics)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(EpochHook, 'after_epoch_metrics', stopping)
        train(TrainOptions(config, work_dir=work_dir, device='cpu'))
    return (work_dir / 'latest').resolve()


def assert_same_end(folder: Path, other: Path) -> None:
    """Two runs of one config ended in the same forecasts, to the bit."""
    with np.load(folder / 'predictions_val.npz') as stored:
        mine = stored['forecast']
    with np.load(other / 'predictions_val.npz') as stored:
        assert mine.size > 100 and np.array_equal(mine, stored['forecast'])


# What the clock says at four starts, one after the other.
CLOCKS = {
    'forward': ['2026-06-01T12:00:00', '2026-06-01T12:00:01', '2026-06-02T00:00:00',
                '2027-01-01T00:00:00'],
    'back an hour, as summer time does': ['2026-10-25T02:59:00', '2026-10-25T02:00:00',
                                          '2026-10-25T02:00:30', '2026-10-25T03:00:00'],
    'standing still': ['2026-06-01T12:00:00'] * 4,
    'an empty battery': ['2026-06-01T12:00:00', '1970-01-01T00:00:00', '1970-01-01T00:05:00',
                         '2026-06-01T12:30:00'],
    'far ahead and back': ['9999-12-31T23:59:59', '2026-06-01T12:00:00', '2026-06-01T12:00:00',
                           '2026-06-01T12:00:00'],
}


@pytest.mark.parametrize('times', CLOCKS.values(), ids=CLOCKS)
def test_runs_are_in_the_order_of_their_starts_whatever_the_clock_says(times, clock, tmp_path,
                                                                      run_tool):
    config, work_dir = config_in(tmp_path), tmp_path / 'w'
    begun = []
    for place, text in enumerate(times):
        clock(text)
        if place in (1, 2):
            begun.append(stopped(config, work_dir))
        else:
            begun.append(train(TrainOptions(config, work_dir=work_dir, device='cpu')).resolve())
        assert (work_dir / 'latest').resolve() == begun[-1]
        assert read_run(begun[-1]).started == text + 'Z'
    assert len(set(begun)) == 4 and all(RUN_NAME.fullmatch(folder.name) for folder in begun)
    assert [run.folder.resolve() for run in find_runs([work_dir])] == begun
    clock('2001-01-01T00:00:00')  # and goes on before it began
    again = train(TrainOptions(config, work_dir=work_dir, resume='', device='cpu')).resolve()
    assert again == begun[2]  # the newest that is not done
    assert (work_dir / 'latest').resolve() == again
    record = read_run(again)
    assert record.status == 'done' and len(record.epochs) == EPOCHS
    assert 0 < record.total_seconds < 600
    assert_same_end(again, begun[0])
    status, _, errors = run_tool('report', work_dir, '--out', tmp_path / 'report')
    assert status == 0, errors
    text = (tmp_path / 'report/report.md').read_text()
    places = [text.index(folder.name) for folder in begun]
    assert places == sorted(places)


ZONES = [('Pacific/Kiritimati', 'Etc/GMT+12'), ('Europe/Berlin', 'America/St_Johns'),
         ('UTC', ':nowhere/at_all')]


@pytest.mark.parametrize(('first', 'second'), ZONES)
def test_a_run_goes_on_in_another_time_zone(first, second, zone, tmp_path, run_tool):
    config = config_in(tmp_path)
    zone('UTC')
    whole = train(TrainOptions(config, work_dir=tmp_path / 'whole', device='cpu'))
    zone(first)
    folder = stopped(config, tmp_path / 'w')
    zone(second)
    again = train(TrainOptions(config, work_dir=tmp_path / 'w', resume='', device='cpu'))
    assert again.resolve() == folder
    later = train(TrainOptions(config, work_dir=tmp_path / 'w', device='cpu')).resolve()
    zone('UTC')
    assert [run.folder.resolve() for run in find_runs([tmp_path / 'w'])] == [folder, later]
    for each in (folder, later):
        began = datetime.strptime(each.name[:16], '%Y%m%dT%H%M%SZ').replace(tzinfo=UTC)
        assert abs((datetime.now(UTC) - began).total_seconds()) < 600
        assert_same_end(each, whole)
    made = []
    for name in (first, second):
        zone(name)
        out = tmp_path / f'{len(made)}.csv'
        status, _, errors = run_tool('predict', config, whole / 'best.pth', tmp_path / 's.csv',
                                     '--out', out)
        assert status == 0, errors
        made.append(out.read_bytes())
    assert made[0] == made[1] and b'2020-01-17' in made[0]  # 400 hours after the new year of 2020


@pytest.fixture
def other_disk(tmp_path):
    """A folder of another file system than that of `tmp_path`."""
    for place in (Path('/dev/shm'), Path.home(), Path('/var/tmp')):
        if place.is_dir() and os.access(place, os.W_OK) \
                and place.stat().st_dev != tmp_path.stat().st_dev:
            folder = place / f'amlnn-test-{os.getpid()}'
            folder.mkdir()
            yield folder
            shutil.rmtree(folder)
            return
    pytest.skip('there is one file system')


@pytest.mark.parametrize('elsewhere', ['runs', 'temporary files', 'caches', 'data'])
def test_any_part_may_lie_on_another_file_system(elsewhere, other_disk, tmp_path, monkeypatch,
                                                run_tool):
    work_dir, out = tmp_path / 'w', tmp_path / 'report'
    if elsewhere == 'runs':
        work_dir, out = other_disk / 'w', other_disk / 'report'
    if elsewhere == 'temporary files':
        monkeypatch.setenv('TMPDIR', str(other_disk))
        monkeypatch.setattr('tempfile.tempdir', None)
    if elsewhere == 'caches':
        monkeypatch.setenv('XDG_CACHE_HOME', str(other_disk))
        monkeypatch.setenv('AMLNN_CACHE', str(other_disk / 'amlnn'))
    data = write_series((other_disk if elsewhere == 'data' else tmp_path) / 's.csv')
    config = write_series_config(tmp_path / 'c.py', data, epochs=EPOCHS)
    whole = train(TrainOptions(config, work_dir=tmp_path / 'whole', device='cpu'))
    folder = stopped(config, work_dir)
    again = train(TrainOptions(config, work_dir=work_dir, resume='', device='cpu'))
    assert again.resolve() == folder
    assert_same_end(folder, whole)
    assert (work_dir / 'latest').resolve() == folder
    for words in (('test', config, work_dir / 'latest/best.pth'),
                  ('predict', config, work_dir / 'latest/best.pth', data, '--out',
                   work_dir / 'f.csv'),
                  ('report', work_dir, '--out', out), ('report', work_dir, '--out', out)):
        status, _, errors = run_tool(*words)
        assert status == 0, errors
    assert (out / 'index.html').is_file() and (work_dir / 'f.csv').is_file()
    assert not list(work_dir.rglob('.*'))  # nothing half written


NAMES = {
    'spaces': '  two  words ', 'quotes': '''it's "quoted" `so`''', 'scripts': 'цветы 花 ألوان ñ é',
    'shell': '$(x) & ; | > ~ ! #', 'glob': '[ab]*?{c,d}', 'format': '%s {0} {{x}} \\n',
    'a line break': 'one\ntwo', 'an option': '--resume', 'equals': 'a=b,c:d',
    '300 characters': '/'.join(['n' * 150] * 2), 'markup': '[red]:smile:<b>&amp;</b>',
}


@pytest.mark.parametrize('name', NAMES.values(), ids=NAMES)
def test_folders_may_have_any_name(name, tmp_path, run_tool, capsys):
    place = tmp_path / name
    place.mkdir(parents=True)
    config, work_dir = config_in(place), place / 'w'
    folder = stopped(config, work_dir)
    capsys.readouterr()
    status, shown, errors = run_tool('train', config, '--work-dir', work_dir, '--resume',
                                     '--device', 'cpu')
    assert status == 0, errors
    assert folder == (work_dir / 'latest').resolve() and read_run(folder).status == 'done'
    # What it says to do next can be copied into a shell.
    following = shlex.split(shown[shown.rindex('python tools/test.py'):])
    assert following == ['python', 'tools/test.py', str(config), str(folder / 'best.pth')]
    status, _, errors = run_tool('test', *following[2:])
    assert status == 0, errors
    status, _, errors = run_tool('predict', *following[2:], place / 's.csv', '--out',
                                 place / 'out.csv')
    assert status == 0, errors
    status, _, errors = run_tool('report', work_dir, '--out', place / 'report')
    assert status == 0, errors
    assert (place / 'report/index.html').is_file() and (place / 'out.csv').is_file()
    run, = find_runs([work_dir])
    assert run.folder.resolve() == folder
