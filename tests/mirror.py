"""A mirror on this machine: a server that behaves as the first segment of an address says."""

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aecore.data import RemoteFile


def remote_files(files: dict[str, bytes]) -> tuple[RemoteFile, ...]:
    """What a download says about these files."""
    return tuple(RemoteFile(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in files.items())


class Mirror(ThreadingHTTPServer):
    """A mirror on this machine; `asked` keeps what clients wanted, `trickled` what they waited for to the very end."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files = files
        self.asked: list[str] = []
        self.trickled: list[str] = []
        self.closing = threading.Event()

    def base(self, manner: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{manner}/"

    def manners(self) -> list[str]:
        return [path.split("/")[1] for path in self.asked]


class _Answer(BaseHTTPRequestHandler):
    server: Mirror

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        _, manner, name = self.path.split("/")
        content = self.server.files[name]
        with contextlib.suppress(ConnectionError):
            if manner.isdigit():
                self._send(int(manner), b"no")
            elif manner == "page":
                self._send(200, b"<!doctype html><title>Sign in to the hotel</title>")
            elif manner == "half":
                self._send(200, content[: len(content) // 2])
            elif manner == "cut":
                self._send(200, content[: len(content) // 2], length=len(content))
            elif manner == "flipped":
                self._send(200, content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
            elif manner == "large":
                self._send(200, content + bytes(10**6))
            elif manner == "loop":
                self.send_response(302)
                self.send_header("Location", self.path)
                self.end_headers()
            elif manner == "silent":
                self.server.closing.wait(60)
            elif manner == "trickle":
                self._trickle(content)
            else:
                self._send(200, content)

    def _send(self, status: int, content: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _trickle(self, content: bytes) -> None:
        """The right bytes, a few at a time: the whole takes three times as long as the tests' limit."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        step = -(-len(content) // 30)
        for start in range(0, len(content), step):
            self.wfile.write(content[start : start + step])
            if self.server.closing.wait(0.1):
                return
        self.server.trickled.append(self.path)


@contextlib.contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Mirror]:
    """A mirror of these files while the `with` lasts."""
    with Mirror(files) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()
