"""A server on this machine that misbehaves as told, and small archives for it to serve."""

import http.server
import io
import tarfile
import threading
import time
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Reply:
    """How one request is answered."""

    status: int = 200
    ranges: bool = True
    tag: str = '"v1"'
    stop_after: int | None = None
    """Bytes of the body after which the connection is closed."""
    stall: float = 0.0
    """Seconds of silence after those bytes, before it is closed."""
    body: bytes | None = None
    length: bool = True
    location: str = ''
    content_range: str = ''
    piece: int = 1 << 20
    wait: float = 0.0
    """Seconds between pieces."""


@dataclass
class Loopback:
    """What is served, how the next requests are answered, and what was asked."""

    files: dict[str, bytes]
    replies: list[Reply] = field(default_factory=list)
    """For the first requests, in order; after them the last one again, or a plain answer."""
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    """Path, Range and If-Range of every request."""
    address: str = ''

    def next(self) -> Reply:
        if not self.replies:
            return Reply()
        return self.replies.pop(0)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        place: Loopback = self.server.place
        wanted, only_if = self.headers.get('Range'), self.headers.get('If-Range')
        place.asked.append((self.path, wanted, only_if))
        reply = place.next()
        whole = place.files.get(self.path.split('/')[-1])
        if whole is None:
            self.send_error(404)
            return
        if reply.location:
            self.send_response(302)
            self.send_header('Location', reply.location)
            self.end_headers()
            return
        if reply.status != 200:
            self.send_error(reply.status)
            return
        body = whole if reply.body is None else reply.body
        start = 0
        if wanted and reply.ranges and only_if in (None, reply.tag):
            start = int(wanted.removeprefix('bytes=').rstrip('-'))
            self.send_response(206)
            self.send_header('Content-Range', reply.content_range
                             or f'bytes {start}-{len(body) - 1}/{len(body)}')
        else:
            self.send_response(200)
        if reply.tag:
            self.send_header('ETag', reply.tag)
        if reply.length:
            self.send_header('Content-Length', str(len(body) - start))
        self.end_headers()
        body = body[start:][:reply.stop_after]
        for begin in range(0, len(body), reply.piece):
            self.wfile.write(body[begin:begin + reply.piece])
            time.sleep(reply.wait)
        if reply.stall:
            self.server.stopped.wait(reply.stall)

    def do_CONNECT(self):
        self.server.place.asked.append((self.path, None, None))
        self.send_error(403)

    def log_message(self, *_):
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):  # a client that went away
        pass


@contextmanager
def serving(**files: bytes):
    """A `Loopback` that serves these files; a name's `__` stands for a dot."""
    place = Loopback({name.replace('__', '.'): body for name, body in files.items()})
    server = _Server(('127.0.0.1', 0), _Handler)
    server.place, server.stopped = place, threading.Event()
    place.address = f'http://127.0.0.1:{server.server_port}'
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield place
    finally:
        server.stopped.set()
        server.shutdown()
        server.server_close()
        with suppress(RuntimeError):
            thread.join(5)


def zip_bytes(files: dict[str, bytes]) -> bytes:
    """A zip archive; a name that ends in `/` is a folder."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.getvalue()


def tar_bytes(files: dict[str, bytes], **links: str) -> bytes:
    """A compressed tar archive; `links` are symbolic, name to what they lead to."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode='w:gz') as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, goal in links.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, goal
            archive.addfile(member)
    return held.getvalue()
