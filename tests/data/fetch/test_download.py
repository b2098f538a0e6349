"""A data set over HTTP arrives whole or not at all, whatever the network does."""

import errno
import hashlib
import importlib.util
import io
import os
import random
import re
import shlex
import signal
import stat
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from loopback import Reply, serving, tar_bytes, zip_bytes
from rich.console import Console

from amlnn.data.fetch import download as download_module
from amlnn.data.fetch import fetch as fetch_module
from amlnn.data.fetch.download import download
from amlnn.data.fetch.download_progress import ByteProgress
from amlnn.data.fetch.download_table import DATA_SETS, DownloadableSet
from amlnn.data.fetch.unpack import unpack
from amlnn.errors import AmlnnError, DataError, RunFailed, UsageError
from amlnn.folder_swap import locked

ROOT = Path(__file__).parents[3]
_random = random.Random(0)
CONTENT = {'toy/names.txt': b'cat\ndog\n',
           **{f'toy/{name}/{number}.jpg': _random.randbytes(40_000)
              for name in ('cat', 'dog') for number in range(3)}}
ZIP, TAR = zip_bytes(CONTENT), tar_bytes(CONTENT)


def row(archive=ZIP, file='toy.zip', **changes):
    """A data set of two classes, as a row of the table."""
    values = {
        'name': 'toy', 'title': 'Toy', 'urls': ('http://127.0.0.1:9/unused',), 'file': file,
        'bytes': len(archive), 'sha256': hashlib.sha256(archive).hexdigest(), 'folder': 'data',
        'becomes': 'toy', 'terms': 'none', 'citation': 'nobody', 'root': 'toy',
        'unpacked_bytes': 300_000,
        'files': {'cat/*.jpg': 3, 'dog/*.jpg': 3}, 'lines': {'names.txt': 2}}
    return DownloadableSet(**{**values, **changes})


CSV = b'date,OT\n2016-07-01 00:00:00,30.5\n'
CSV_ROW = row(CSV, 'toy.csv', becomes='toy.csv', root='', unpacked_bytes=0, files={}, lines={})


class Quiet:
    """A console without a terminal, and what it was told."""

    def __init__(self):
        self.held = io.StringIO()
        self.console = Console(file=self.held, width=200)

    @property
    def text(self):
        return self.held.getvalue()


@pytest.fixture
def here(tmp_path):
    """A folder with nothing in it."""
    (tmp_path / 'here').mkdir()
    return tmp_path / 'here'


@pytest.fixture
def toy(monkeypatch, here):
    """Runs a download of the toy set from a server into a temporary folder."""
    def run(place, the_row=None, to=here, timeout=5.0, pauses=(0.0,) * 3, **options):
        monkeypatch.setitem(DATA_SETS, 'toy', the_row or row())
        monkeypatch.setenv('AMLNN_DOWNLOAD_URL', place if isinstance(place, str)
                           else place.address)
        run.shown = Quiet()
        return download('toy', to, console=run.shown.console, timeout=timeout, pauses=pauses,
                        **options)
    return run


def held(folder):
    """Every file below a folder."""
    return {str(path.relative_to(folder.parent)): path.read_bytes()
            for path in folder.rglob('*') if path.is_file()}


# ---------------------------------------------------------------- what becomes of an archive

@pytest.mark.parametrize(('archive', 'file'), [(ZIP, 'toy.zip'), (TAR, 'toy.tgz')])
def test_an_archive_is_fetched_and_unpacked_and_only_the_data_set_stays(toy, here, archive,
                                                                        file):
    with serving(**{file.replace('.', '__'): archive}) as place:
        target = toy(place, row(archive, file))
    assert target == here / 'toy'
    assert held(target) == CONTENT
    assert [path.name for path in here.iterdir()] == ['toy']
    assert f'Toy: 7 files in {target}' in toy.shown.text
    assert 'terms: none' in toy.shown.text and 'to cite: nobody' in toy.shown.text


def test_a_file_that_is_no_archive_is_put_in_place_as_it_is(toy, here):
    with serving(toy__csv=CSV) as place:
        assert toy(place, CSV_ROW).read_bytes() == CSV
    assert [path.name for path in here.iterdir()] == ['toy.csv']


def test_the_next_command_names_where_the_data_set_is(toy, here, monkeypatch):
    goes_on = row(next_command='python data_preprocess.py {target} out')
    with serving(toy__zip=ZIP) as place:
        toy(place, goes_on, to=here / 'my data')
        assert f"next: python data_preprocess.py '{here}/my data/toy' out" in toy.shown.text
        only_default = replace(goes_on, next_command='python tools/train.py x.py')
        toy(place, only_default, to=here / 'my data')
        assert 'next:' not in toy.shown.text
        monkeypatch.chdir(here)
        assert toy(place, only_default, to=None) == Path('data/toy')
        assert 'next: python tools/train.py x.py' in toy.shown.text


def test_the_next_command_is_named_as_this_one_was_called(toy, here, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['amlnn', 'preprocess'])
    in_a_checkout = 'python benchmarks/etth1.py {target}'
    assert in_a_checkout in {row.next_command for row in DATA_SETS.values()}
    with serving(toy__zip=ZIP) as place:
        toy(place, row(next_command=in_a_checkout), to=here / 'one')
        assert 'next:' not in toy.shown.text
        toy(place, row(next_command='python tools/train.py configs/a.py --data {target}'))
        assert f'next: amlnn train amlnn::a.py --data {here}/toy' in toy.shown.text


def test_a_data_set_that_is_there_is_left_alone_unless_told_otherwise(toy, here):
    with serving(toy__zip=ZIP) as place:
        toy(place)
        (here / 'toy' / '.DS_Store').touch()
        toy(place)
        assert len(place.asked) == 1
        assert 'is in' in toy.shown.text and '--overwrite' in toy.shown.text
        toy(place, overwrite=True)
        assert len(place.asked) == 2
    assert held(here / 'toy') == CONTENT
    assert [path.name for path in here.iterdir()] == ['toy']


@pytest.mark.parametrize('spoil', [lambda folder: (folder / 'dog/2.jpg').unlink(),
                                   lambda folder: (folder / 'names.txt').write_text('cat\n')])
def test_an_incomplete_data_set_is_an_error_and_overwrite_mends_it(toy, here, spoil):
    with serving(toy__zip=ZIP) as place:
        toy(place)
        (here / 'toy' / 'cat').mkdir(exist_ok=True)
        spoil(here / 'toy')
        with pytest.raises(DataError, match='instead of') as caught:
            toy(place)
        assert '--overwrite' in caught.value.hint
        toy(place, overwrite=True)
    assert held(here / 'toy') == CONTENT


def test_a_folder_of_the_users_own_is_not_replaced(toy, here):
    for name in ('cat', 'my holidays'):
        (here / 'toy' / name).mkdir(parents=True)
    with serving(toy__zip=ZIP) as place:
        for overwrite in (False, True):
            with pytest.raises(DataError):
                toy(place, overwrite=overwrite)
        assert place.asked == []
    assert (here / 'toy' / 'my holidays').is_dir()


def test_an_altered_file_is_not_taken_for_the_published_one(toy, here):
    (here / 'toy.csv').write_bytes(CSV.replace(b'30.5', b'31.5'))
    with serving(toy__csv=CSV) as place:
        with pytest.raises(DataError, match='SHA-256'):
            toy(place, CSV_ROW)
        toy(place, CSV_ROW, overwrite=True)
    assert (here / 'toy.csv').read_bytes() == CSV


# ---------------------------------------------------------------- what the network does

def test_a_dropped_connection_goes_on_where_it_stopped(toy, here):
    with serving(toy__zip=ZIP) as place:
        place.replies = [Reply(stop_after=100_000), Reply(stop_after=50_000)]
        assert held(toy(place)) == CONTENT
    assert place.asked == [('/toy.zip', None, None), ('/toy.zip', 'bytes=100000-', '"v1"'),
                           ('/toy.zip', 'bytes=150000-', '"v1"')]
    assert toy.shown.text.count('next try in 0 s') == 2


def test_many_drops_are_borne_as_long_as_each_try_brings_something(toy):
    with serving(toy__zip=ZIP) as place:
        place.replies = [Reply(stop_after=30_000) for _ in range(7)]
        assert held(toy(place, pauses=(0.0,))) == CONTENT
    assert 210_000 < len(ZIP) < 300_000 and len(place.asked) == 8


def test_a_server_without_ranges_sends_the_whole_again(toy):
    with serving(toy__zip=ZIP) as place:
        place.replies = [Reply(stop_after=100_000, ranges=False), Reply(ranges=False)]
        assert held(toy(place)) == CONTENT
    assert place.asked[1][1] == 'bytes=100000-'


@pytest.mark.parametrize('first', [
    Reply(stop_after=100_000, tag='"v0"', body=bytes(len(ZIP))),
    # The rest of a file of another length, and the rest of another part.
    Reply(stop_after=100_000, body=bytes(len(ZIP)), tag='')])
def test_a_file_that_changed_meanwhile_is_fetched_anew(toy, first):
    with serving(toy__zip=ZIP) as place:
        second = Reply() if first.tag else Reply(content_range=f'bytes 0-9/{len(ZIP)}')
        place.replies = [first, second]
        assert held(toy(place)) == CONTENT
    assert place.asked[1][1:] == ('bytes=100000-', first.tag or None)


def test_a_weak_tag_is_not_asked_for(toy):
    with serving(toy__zip=ZIP) as place:
        place.replies = [Reply(stop_after=100_000, tag='W/"v1"')]
        assert held(toy(place)) == CONTENT
    assert place.asked[1][1:] == ('bytes=100000-', None)


def test_a_part_longer_than_the_servers_file_is_given_up(toy, here):
    with serving(toy__zip=ZIP) as place:
        place.replies = [Reply(stop_after=100_000), Reply(status=416)]
        assert held(toy(place)) == CONTENT
    assert [wanted for _, wanted, _ in place.asked] == [None, 'bytes=100000-', None]


def test_a_silent_connection_counts_as_dropped(toy):
    with serving(toy__zip=ZIP) as place:
        place.replies = [Reply(stop_after=100_000, stall=30)]
        assert held(toy(place, timeout=0.3)) == CONTENT
    assert 'sends nothing any more' in toy.shown.text


def test_a_slow_connection_does_not(toy):
    with serving(toy__zip=ZIP) as place:
        place.replies = [Reply(piece=60_000, wait=0.1)]
        assert held(toy(place, timeout=0.3)) == CONTENT
    assert len(place.asked) == 1


@pytest.mark.parametrize('status', [500, 503, 429])
def test_a_fault_of_the_server_may_pass(toy, status):
    with serving(toy__zip=ZIP) as place:
        place.replies = [Reply(status=status)]
        assert held(toy(place)) == CONTENT
    assert len(place.asked) == 2


def test_after_some_tries_it_gives_up_and_keeps_what_came(toy, here):
    with serving(toy__zip=ZIP) as place:
        place.replies = [Reply(stop_after=100_000), *[Reply(status=503)] * 3]
        with pytest.raises(RunFailed, match=r'answers 503.*4 times') as caught:
            toy(place)
        assert '0.1 of 0.2 MB are kept' in caught.value.hint
        assert len(place.asked) == 4
        assert not (here / 'toy').exists()
        assert held(toy(place)) == CONTENT
    assert place.asked[4][1] == 'bytes=100000-'


@pytest.mark.parametrize('status', [403, 404])
def test_what_the_server_does_not_have_is_not_asked_for_again(toy, status):
    with serving(toy__zip=ZIP) as place:
        place.replies = [Reply(status=status)] * 3
        with pytest.raises(RunFailed, match=f'answers {status}') as caught:
            toy(place)
    assert len(place.asked) == 1
    assert 'put it at' in caught.value.hint


def test_a_redirect_is_followed_with_the_range(toy):
    with serving(toy__zip=ZIP) as place:
        there = Reply(location=f'{place.address}/elsewhere/toy.zip')
        place.replies = [there, Reply(stop_after=100_000), there]
        assert held(toy(place)) == CONTENT
    assert [path for path, _, _ in place.asked] == ['/toy.zip', '/elsewhere/toy.zip'] * 2
    assert place.asked[3][1] == 'bytes=100000-'


def test_the_second_address_is_tried_if_the_first_has_nothing(toy, monkeypatch, here):
    monkeypatch.delenv('AMLNN_DOWNLOAD_URL', raising=False)
    with serving(toy__zip=ZIP) as place:
        monkeypatch.setitem(DATA_SETS, 'toy', row(
            urls=(f'{place.address}/gone.zip', f'{place.address}/toy.zip')))
        assert held(download('toy', here, console=Quiet().console)) == CONTENT
    assert [path for path, _, _ in place.asked] == ['/gone.zip', '/toy.zip']


# ---------------------------------------------------------------- what is not the file

def test_another_content_is_deleted(toy, here):
    with serving(toy__zip=ZIP) as place:
        place.replies = [Reply(body=bytes(len(ZIP)))]
        with pytest.raises(RunFailed, match=r'SHA-256.*it is deleted') as caught:
            toy(place)
        assert 'run the same command again' in caught.value.hint
        assert list(here.iterdir()) == []
        assert held(toy(place)) == CONTENT


@pytest.mark.parametrize('length', [True, False])
def test_a_longer_file_and_a_portals_page_are_not_taken(toy, here, length):
    with serving(toy__zip=ZIP) as place:
        place.replies = [Reply(body=bytes(len(ZIP) + 1), length=length)]
        with pytest.raises(RunFailed, match='has a file of'):
            toy(place)
        place.replies = [Reply(body=b'<html>log in first</html>')]
        with pytest.raises(RunFailed, match=f'25 bytes, not the {len(ZIP):,}'):
            toy(place)
    assert list(here.iterdir()) == []


# ---------------------------------------------------------------- without a network

def test_offline_is_two_lines_and_the_file_can_be_put_there_by_hand(toy, here):
    with pytest.raises(RunFailed, match='cannot be reached: Connection refused') as caught:
        toy('http://127.0.0.1:9')
    assert f'put it at `{here}/toy.zip`' in caught.value.hint
    assert 'http://127.0.0.1:9/unused' in caught.value.hint
    (here / 'toy.zip').write_bytes(ZIP)
    assert held(toy('http://127.0.0.1:9')) == CONTENT
    assert (here / 'toy.zip').read_bytes() == ZIP


def test_a_host_that_is_not_found_is_said(toy, monkeypatch):
    import socket

    def fails(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, 'Name or service not known')
    monkeypatch.setattr(socket, 'getaddrinfo', fails)
    with pytest.raises(RunFailed, match='its host is not found'):
        toy('http://nowhere.invalid')


def test_a_network_that_goes_away_in_the_middle_may_come_back(toy, monkeypatch):
    import urllib.error
    whole = fetch_module._receive
    calls = []

    def receive(*args):
        calls.append(args)
        if len(calls) == 2:
            raise urllib.error.URLError(OSError(errno.ENETUNREACH, 'Network is unreachable'))
        return whole(*args)
    monkeypatch.setattr(fetch_module, '_receive', receive)
    with serving(toy__zip=ZIP) as place:
        place.replies = [Reply(stop_after=100_000)]
        assert held(toy(place)) == CONTENT
    assert len(calls) == 3


def test_a_proxy_that_forbids_is_said_and_none_stands_before_this_machine(toy, here,
                                                                          monkeypatch):
    with serving(toy__zip=ZIP) as place:
        for name in ('http_proxy', 'https_proxy'):
            monkeypatch.setenv(name, place.address)
            monkeypatch.setenv(name.upper(), place.address)
        for name in ('no_proxy', 'NO_PROXY'):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(RunFailed, match=r'cannot be reached: Tunnel.*403'):
            toy('https://data.invalid')
        assert place.asked == [('data.invalid:443', None, None)]
        monkeypatch.setenv('http_proxy', 'http://127.0.0.1:9')
        assert held(toy(place)) == CONTENT


def test_a_wrong_file_put_there_by_hand_is_refused_and_left(toy, here):
    (here / 'toy.zip').write_bytes(ZIP[:-1])
    with serving(toy__zip=ZIP) as place:
        with pytest.raises(DataError, match='instead of'):
            toy(place)
        assert place.asked == []
    assert (here / 'toy.zip').exists() and not (here / 'toy').exists()


def test_a_part_file_that_is_complete_needs_no_network(toy, here):
    (here / 'toy.zip.part').write_bytes(ZIP)
    assert held(toy('http://127.0.0.1:9')) == CONTENT
    assert [path.name for path in here.iterdir()] == ['toy']


# ---------------------------------------------------------------- the disk, and other processes

def test_a_full_disk_is_noticed_before_anything_is_fetched(toy, monkeypatch):
    usage = download_module.shutil.disk_usage
    monkeypatch.setattr(download_module.shutil, 'disk_usage',
                        lambda path: usage(path)._replace(free=len(ZIP) + 299_999))
    with serving(toy__zip=ZIP) as place:
        with pytest.raises(DataError, match='MB are needed') as caught:
            toy(place)
        assert place.asked == [] and '--to' in caught.value.hint


def test_a_disk_that_becomes_full_is_none_of_the_network(toy, here, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with serving(toy__zip=ZIP) as place:
        monkeypatch.setattr(fetch_module.os, 'fsync', full)
        with pytest.raises(DataError, match=r'toy\.zip\.part.*No space left') as caught:
            toy(place)
        assert len(place.asked) == 1 and 'make room' in caught.value.hint


def test_a_second_run_at_the_same_time_is_refused(toy, here):
    with serving(toy__zip=ZIP) as place:
        for the_row, name in ((row(), 'toy'), (CSV_ROW, 'toy.csv')):
            with locked((here / name).resolve()), \
                    pytest.raises(DataError, match='another run is writing'):
                toy(place, the_row)
        assert place.asked == []


def command(toy_row, *words, **how):
    """`data_preprocess.py --download toy` in a process of its own."""
    code = f"""
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
sys.path.insert(0, {str(ROOT)!r})
import data_preprocess
from amlnn.command import run_command
from amlnn.data.fetch.download_table import DATA_SETS, DownloadableSet
DATA_SETS['toy'] = {toy_row!r}
sys.exit(run_command(data_preprocess.parser(), data_preprocess.main, sys.argv[1:]))
"""
    return subprocess.Popen([sys.executable, '-c', code, '--download', 'toy', *map(str, words)],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)


@pytest.mark.parametrize(('number', 'status'), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_what_was_stopped_goes_on_from_its_part_file(toy, here, number, status):
    with serving(toy__zip=ZIP) as place:
        place.replies = [Reply(stop_after=100_000, stall=30)]
        stopped = command(row(), '--to', here,
                          env={**os.environ, 'AMLNN_DOWNLOAD_URL': place.address})
        part, until = here / 'toy.zip.part', time.monotonic() + 20
        while not (part.exists() and part.stat().st_size == 100_000):
            assert time.monotonic() < until and stopped.poll() is None
            time.sleep(0.01)
        stopped.send_signal(number)
        shown, _ = stopped.communicate(timeout=20)
        assert stopped.returncode == status
        assert ('0.1 of 0.2 MB are kept' in shown) == (number == signal.SIGINT)
        assert part.stat().st_size == 100_000 and not (here / 'toy').exists()
        assert held(toy(place)) == CONTENT
    assert place.asked[1][1] == 'bytes=100000-'
    assert [path.name for path in here.iterdir()] == ['toy']


# ---------------------------------------------------------------- what an archive may hold

def packed(here, archive):
    path = here / 'archive'
    path.write_bytes(archive)
    return path


def link_zip():
    held_ = io.BytesIO()
    with zipfile.ZipFile(held_, 'w') as archive:
        info = zipfile.ZipInfo('toy/link')
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, '/etc/passwd')
    return held_.getvalue()


def lying_zip():
    """Its directory says 1 byte, and the content is a million."""
    whole = bytearray(zip_bytes({'toy/a': bytes(1_000_000)}))
    place = whole.rindex(b'PK\x01\x02') + 24
    whole[place:place + 4] = (1).to_bytes(4, 'little')
    return bytes(whole)


def damaged_zip():
    whole = bytearray(ZIP)
    whole[50_000] ^= 1
    return bytes(whole)


@pytest.mark.filterwarnings('ignore:Duplicate name:UserWarning')
@pytest.mark.parametrize(('archive', 'message'), [
    (lambda: zip_bytes({'toy/../../evil': b'x'}), 'does not lie in'),
    (lambda: zip_bytes({'/tmp/evil': b'x'}), 'does not lie in'),
    (lambda: zip_bytes({'toy\\..\\evil': b'x'}), 'does not lie in'),
    (lambda: zip_bytes({'other/a': b'x'}), 'does not lie in `toy`'),
    (lambda: zip_bytes({'a': b'x'}), 'does not lie in `toy`'),
    (link_zip, 'no file and no folder'),
    (lambda: zip_bytes({'toy/bomb': bytes(2_000_000)}), 'more than 1 MB'),
    (lying_zip, 'damaged'),
    (damaged_zip, 'damaged'),
    (lambda: ZIP[:-10], 'damaged'),
    (lambda: tar_bytes({'toy/../../evil': b'x'}), 'does not lie in'),
    (lambda: tar_bytes({'/tmp/evil': b'x'}), 'does not lie in'),
    (lambda: tar_bytes({}, **{'toy/link': '../..'}), 'no file and no folder'),
    (lambda: tar_bytes({'toy/bomb': bytes(2_000_000)}), 'more than 1 MB'),
    (lambda: tar_bytes({'toy/a': b'x', 'toy/./a': b'y'}), 'twice'),
    (lambda: TAR[:-1000], 'damaged'),
    (lambda: b'no archive at all', 'damaged'),
])
def test_an_archive_cannot_write_outside_of_its_folder_or_too_much(here, archive, message):
    before = packed(here, archive())
    folder = here / 'deep' / 'folder'
    folder.mkdir(parents=True)
    with pytest.raises(DataError, match=message):
        unpack(before, folder, root='toy', most_bytes=1_000_000, show=lambda _: None)
    assert not list(here.rglob('*evil*')) and not Path('/tmp/evil').exists()
    assert not [path for path in here.rglob('*') if path.is_symlink()]
    assert sum(path.stat().st_size for path in folder.rglob('*') if path.is_file()) <= 1_000_000


@pytest.mark.parametrize('archive', [ZIP, TAR])
def test_unpacking_tells_how_far_in_the_archive_it_is(here, archive):
    places = []
    assert unpack(packed(here, archive), here, root='toy', most_bytes=300_000,
                  show=places.append) == 7
    assert len(places) == 7 and places == sorted(places)
    assert len(archive) / 2 < places[-1] <= len(archive)


def test_an_archive_without_what_the_data_set_has_is_not_put_in_place(toy, here):
    with serving(toy__zip=ZIP) as place, \
            pytest.raises(DataError, match=r'3 files cat/\*\.jpg instead of 4'):
        toy(place, row(files={'cat/*.jpg': 4}))
    assert not (here / 'toy').exists()


# ---------------------------------------------------------------- what is shown

def test_without_a_terminal_there_is_a_line_now_and_then(monkeypatch):
    now = [0.0]
    monkeypatch.setattr('amlnn.data.fetch.download_progress.time.monotonic', lambda: now[0])
    shown = Quiet()
    with ByteProgress(shown.console, 'a.zip', 100_000_000) as progress:
        progress.begin(40_000_000)
        for now[0], done in ((5.0, 45e6), (10.0, 50e6), (15.0, 55e6), (20.0, 60e6), (40.0, 100e6)):
            progress.show(int(done))
    assert shown.text.splitlines() == ['a.zip: 50 of 100 MB, 1.0 MB/s, 50 s left',
                                       'a.zip: 60 of 100 MB, 1.0 MB/s, 40 s left']


def test_a_terminal_shows_a_bar_with_speed_and_time():
    held_ = io.StringIO()
    console = Console(file=held_, force_terminal=True, width=100)
    with ByteProgress(console, 'a.zip', 100_000_000) as progress:
        progress.begin(40_000_000)
        progress.show(50_000_000)
    assert 'a.zip' in held_.getvalue() and '50.0/100.0 MB' in held_.getvalue()


# ---------------------------------------------------------------- the table

@pytest.mark.parametrize('name', DATA_SETS)
def test_a_row_is_complete_and_its_next_command_exists(name):
    entry = DATA_SETS[name]
    assert entry.name == name and entry.bytes > 2_000_000
    assert re.fullmatch('[0-9a-f]{64}', entry.sha256)
    assert entry.urls[0].startswith('https://')
    assert {url.split('/')[-1] for url in entry.urls} == {entry.file}
    assert {urlsplit(url).hostname for url in entry.urls} <= {
        'cs231n.stanford.edu', 'www.cs.toronto.edu', 'storage.googleapis.com',
        'raw.githubusercontent.com'}
    assert entry.terms and entry.citation
    # An archive has to be recognised, and a file of its own has nothing to unpack.
    assert bool(entry.root) == bool(entry.files) == bool(entry.unpacked_bytes)
    assert entry.root or entry.file == entry.becomes
    if entry.next_command:
        words = shlex.split(entry.next_command.format(target='x'))
        spec = importlib.util.spec_from_file_location('next_tool', ROOT / words[1])
        assert spec and (ROOT / words[1]).is_file()
        assert all((ROOT / word).is_file() for word in words if word.startswith('configs/'))


def test_the_readme_lists_every_row():
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    rows = dict(re.findall(r'^\| `([a-z0-9-]+)` \| (.*) \|$', text, flags=re.MULTILINE))
    for name, entry in DATA_SETS.items():
        _, size, place, terms = rows[name].split(' | ')
        assert size == f'{entry.bytes / 1e6:,.1f} MB'
        assert place == f'`{entry.folder}/{entry.becomes}`'
        assert terms == entry.terms


def test_a_name_that_is_not_there_and_an_address_that_is_none_are_usage_errors(monkeypatch,
                                                                               here):
    with pytest.raises(UsageError, match='tiny-imagnet') as caught:
        download('tiny-imagnet', here)
    assert 'did you mean `tiny-imagenet`' in caught.value.hint
    assert all(name in caught.value.hint for name in DATA_SETS)
    with pytest.raises(UsageError, match='--to is empty'):
        download('etth1', '')
    monkeypatch.setenv('AMLNN_DOWNLOAD_URL', 'file:///etc')
    with pytest.raises(UsageError, match='is no address'):
        download('etth1', here)


def test_a_folder_that_cannot_be_made_is_a_data_error(toy, here):
    (here / 'file').touch()
    for the_row in (row(), CSV_ROW):
        with pytest.raises(AmlnnError, match='file'):
            toy('http://127.0.0.1:9', the_row, to=here / 'file')


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write everywhere')
def test_a_folder_that_may_not_be_written_is_a_data_error(toy, here):
    here.chmod(0o500)
    with pytest.raises(DataError, match='Permission'):
        toy('http://127.0.0.1:9')
