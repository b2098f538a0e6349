"""One file over HTTP: resumed where it was left, tried again when a connection drops.

What has come so far lies in a part file, and beside it a note that tells which version of which
file it is a part of. The note is what makes a resume safe: a server is asked for the rest of that
version only, and if it has another one it sends the whole.
"""

import http.client
import os
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import amlnn
from amlnn.atomic import write_json
from amlnn.console import say
from amlnn.data.fetch.download_progress import ByteProgress
from amlnn.errors import DataError, RunFailed
from amlnn.foreign_texts import parse_json

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ['discard_part', 'fetch']

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before each further try; a try that brings something new begins them afresh."""

_MAY_PASS = {408, 425, 429, 500, 502, 503, 504}
_CHUNK = 1 << 18


class _NotHere(Exception):
    """This address does not have the file, or cannot be reached; another one may."""


class _Dropped(Exception):
    """The connection, or the server, failed in a way that may pass."""


def fetch(urls: Sequence[str], part: Path, size: int, *, by_hand: str, console: 'Console',
          timeout: float = 30.0, pauses: Sequence[float] = PAUSES) -> None:
    """Bring `part` to `size` bytes. What it already holds is not fetched again.

    After Ctrl-C, or any failure but a wrong size, `part` stays for the next time.

    Args:
        urls: Of one and the same file, tried in this order.
        part: Where to put it.
        size: Bytes of the whole file.
        by_hand: The hint of the error if no address can be reached.
        console: Where to show how far it is.
        timeout: Seconds without a byte after which a connection counts as dropped.
        pauses: Seconds before each further try.

    Raises:
        RunFailed: no address has the file, or the connection dropped once too often.
        DataError: `part` cannot be written.
    """
    if _bytes_of(part) == size:
        return
    failures = {}
    with ByteProgress(console, part.name.removesuffix('.part'), size) as progress:
        for url in urls:
            try:
                _fetch_from(url, part, size, progress, console, timeout, pauses)
            except _NotHere as error:
                failures.setdefault(str(error), url)  # http and https of a host fail alike
            except KeyboardInterrupt:
                say(console, f'{_kept(part, size)}: the same command goes on from there')
                raise
            else:
                return
    raise RunFailed('; '.join(f'`{url}` {reason}' for reason, url in failures.items()),
                    hint=by_hand)


def discard_part(part: Path) -> None:
    """Delete a part file and the note that belongs to it."""
    part.unlink(missing_ok=True)
    _note_of(part).unlink(missing_ok=True)


def _fetch_from(url: str, part: Path, size: int, progress: ByteProgress, console: 'Console',
                timeout: float, pauses: Sequence[float]) -> None:
    opener = _opener(url)
    waits, furthest, begun = iter(pauses), _bytes_of(part), False
    while True:
        try:
            _receive(opener, url, part, size, progress, timeout)
            return
        except (OSError, http.client.HTTPException, _Dropped) as error:
            reason, have = _reason(error), _bytes_of(part)
            if have > furthest:
                furthest, begun, waits = have, True, iter(pauses)
            if _is_final(error, begun):
                raise _NotHere(reason) from error
            wait = next(waits, None)
            if wait is None:
                raise RunFailed(
                    f'`{url}` {reason}, {len(pauses) + 1} times in a row',
                    hint=f'{_kept(part, size)}: the same command, run later, goes on from there'
                ) from error
            say(console, f'the server {reason}; next try in {wait:g} s')
            time.sleep(wait)


def _opener(url: str) -> urllib.request.OpenerDirector:
    """No proxy stands between a machine and itself, whatever the environment says."""
    host = urlsplit(url).hostname or ''
    if host == 'localhost' or host == '::1' or host.startswith('127.'):
        return urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return urllib.request.build_opener()


def _receive(opener: urllib.request.OpenerDirector, url: str, part: Path, size: int,
             progress: ByteProgress, timeout: float) -> None:
    """One request, for what is missing."""
    have, note = _bytes_of(part), _read_note(part)
    headers = {'User-Agent': f'amlnn/{amlnn.__version__}', 'Accept-Encoding': 'identity'}
    if have and note.get('url') == url and have < size:
        headers['Range'] = f'bytes={have}-'
        if note.get('version'):
            headers['If-Range'] = note['version']
    else:
        have = 0
    try:
        answer = opener.open(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416:  # the file is shorter now than what is here of it
                discard_part(part)
                raise _Dropped('has no such part of the file') from error
            raise
    with answer:
        if answer.status == 206 and not _is_rest(answer, have, size):
            discard_part(part)
            raise _Dropped('sent another part than was asked for')
        if answer.status != 206:
            have = 0
        if answer.length is not None and have + answer.length != size:
            raise _NotHere(f'has a file of {have + answer.length:,} bytes, not the {size:,} of '
                           'the data set')
        if not have:  # before the note, which would otherwise lie about what is there
            discard_part(part)
        _write_note(part, url, answer)
        _append(answer, part, have, size, progress)


def _no_link(path: str, flags: int) -> int:
    # In a folder that others write to, a link of this name would have another file overwritten.
    return os.open(path, flags | getattr(os, 'O_NOFOLLOW', 0), 0o666)


def _append(answer: http.client.HTTPResponse, part: Path, have: int, size: int,
            progress: ByteProgress) -> None:
    progress.begin(have)
    with _writing(part):
        # Without a buffer, so that what has come survives a kill.
        opened = open(part, 'ab', buffering=0, opener=_no_link)  # noqa: SIM115 - closed below
    with opened as file:
        while chunk := answer.read1(_CHUNK):
            have += len(chunk)
            if have > size:
                discard_part(part)
                raise _NotHere(f'has a file of more than the {size:,} bytes of the data set')
            with _writing(part):
                rest = memoryview(chunk)
                while rest:
                    rest = rest[file.write(rest):]
            progress.show(have)
        with _writing(part):
            os.fsync(file.fileno())
    if have < size:
        raise _Dropped('ended the connection early')


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """An error of the disk is none of the network."""
    try:
        yield
    except OSError as error:
        raise DataError(f'`{path}` cannot be written: {error.strerror or error}',
                        hint='make room, or name another folder with --to; what is there is kept, '
                             'and the same command goes on from it') from error


def _is_rest(answer: http.client.HTTPResponse, have: int, size: int) -> bool:
    found = re.fullmatch(r'bytes (\d+)-(\d+)/(\d+|\*)', answer.headers.get('Content-Range', ''))
    return bool(found) and int(found[1]) == have and found[3] in (str(size), '*')


def _is_final(error: Exception, begun: bool) -> bool:
    """Whether another try makes no sense.

    An address that cannot be reached is a machine without network if nothing came from it, and a
    network that went away, and may come back, if something did.
    """
    if isinstance(error, urllib.error.HTTPError):
        return error.code not in _MAY_PASS
    if isinstance(error, urllib.error.URLError):
        return not begun and not isinstance(error.reason,
                                            ConnectionResetError | ConnectionAbortedError)
    return False


def _reason(error: Exception) -> str:
    if isinstance(error, _Dropped):
        return str(error)
    if isinstance(error, urllib.error.HTTPError):
        return f'answers {error.code} {error.reason}'
    if isinstance(error, urllib.error.URLError):
        cause = error.reason
        if isinstance(cause, socket.gaierror):
            return 'cannot be reached: its host is not found'
        return f'cannot be reached: {getattr(cause, "strerror", "") or cause}'
    if isinstance(error, TimeoutError):
        return 'sends nothing any more'
    return f'dropped the connection ({type(error).__name__})'


def _kept(part: Path, size: int) -> str:
    return f'{_bytes_of(part) / 1e6:.1f} of {size / 1e6:.1f} MB are kept in `{part}`'


def _note_of(part: Path) -> Path:
    return part.with_name(part.name + '.json')


def _write_note(part: Path, url: str, answer: http.client.HTTPResponse) -> None:
    tag = answer.headers.get('ETag', '')
    # A weak tag may be shared by files of different bytes, and If-Range may not hold one.
    version = tag if tag and not tag.startswith('W/') else answer.headers.get('Last-Modified', '')
    with _writing(part):
        write_json(_note_of(part), {'url': url, 'version': version})


def _read_note(part: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        note = parse_json(_note_of(part).read_text(encoding='utf-8'))
        if isinstance(note, dict):
            return note
    return {}


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
