"""A real HTTP server on the loopback interface that misbehaves as each path's script says."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["_Handler"], None]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def do_GET(self):
        with self.server.lock:
            number = self.server.asked[self.path]
            self.server.asked[self.path] += 1
            self.server.times.append((self.path, time.monotonic()))
            self.server.headers_seen.append((self.path, dict(self.headers)))
            self.server.under_way += 1
            self.server.most_under_way = max(self.server.most_under_way, self.server.under_way)
        try:
            if self.server.latency_s:
                time.sleep(self.server.latency_s)
            script = self.server.scripts.get(self.path) or [status(404)]
            script[min(number, len(script) - 1)](self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with self.server.lock:
                self.server.under_way -= 1

    def do_HEAD(self):
        found = self.server.heads.get(self.path)
        self.send_response(200 if found else 404)
        for name, value in (found or {"Content-Length": "0"}).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args):
        pass


class FaultyServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, scripts: Mapping[str, Sequence[Answer]], latency_s: float = 0.0, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.scripts = dict(scripts)
        self.heads: dict[str, dict[str, str]] = {}
        self.latency_s = latency_s
        self.lock = threading.Lock()
        self.asked: Counter[str] = Counter()
        self.times: list[tuple[str, float]] = []
        self.headers_seen: list[tuple[str, dict[str, str]]] = []
        self.under_way = self.most_under_way = 0
        self.closing = threading.Event()

    def handle_error(self, request, client_address):
        """Clients hang up on purpose here."""

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


@contextmanager
def serving(
    scripts: Mapping[str, Sequence[Answer]], latency_s: float = 0.0, tls: ssl.SSLContext | None = None
) -> Iterator[FaultyServer]:
    server = FaultyServer(scripts, latency_s)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _start(handler: _Handler, code: int, length: int | None, headers: Mapping[str, str] = {}) -> None:
    handler.send_response(code)
    if length is not None:
        handler.send_header("Content-Length", str(length))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()


def serve(data: bytes, headers: Mapping[str, str] = {}, *, ranges: bool = False) -> Answer:
    """200 with the data; with `ranges`, 206 for what a Range asks when If-Range agrees."""

    def answer(handler: _Handler) -> None:
        asked = handler.headers.get("Range", "")
        condition = handler.headers.get("If-Range")
        agrees = condition is None or condition in (headers.get("ETag"), headers.get("Last-Modified"))
        if ranges and asked and agrees:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                _start(handler, 416, 0, {"Content-Range": f"bytes */{len(data)}"})
                return
            part = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
            _start(handler, 206, len(data) - start, {**headers, **part})
            handler.wfile.write(data[start:])
            return
        _start(handler, 200, len(data), headers)
        handler.wfile.write(data)

    return answer


def status(code: int, headers: Mapping[str, str] = {}) -> Answer:
    return lambda handler: (_start(handler, code, 4, headers), handler.wfile.write(b"sad\n"))[0]


def html() -> Answer:
    return serve(b"<!DOCTYPE html><html><body>Please log in</body></html>", {"Content-Type": "text/html"})


def redirect(to: str) -> Answer:
    return status(302, {"Location": to})


def short(data: bytes, keep: int, headers: Mapping[str, str] = {}) -> Answer:
    """Announce all of the data, send the start, hang up."""

    def answer(handler: _Handler) -> None:
        _start(handler, 200, len(data), headers)
        handler.wfile.write(data[:keep])
        handler.close_connection = True

    return answer


def understated(data: bytes, announced: int, *, keep_alive: bool = False) -> Answer:
    """Announce less than what follows; then say goodbye, or keep the connection with the rest of it on the line."""

    def answer(handler: _Handler) -> None:
        # A server that closed without a word would race with the client's next request on the connection.
        _start(handler, 200, announced, {} if keep_alive else {"Connection": "close"})
        handler.wfile.write(data)

    return answer


def reset(data: bytes, keep: int) -> Answer:
    """Send the start, then a TCP reset."""

    def answer(handler: _Handler) -> None:
        _start(handler, 200, len(data))
        handler.wfile.write(data[:keep])
        handler.wfile.flush()
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()
        handler.close_connection = True

    return answer


def stall(data: bytes, keep: int) -> Answer:
    """Send the start, then nothing until the server closes."""

    def answer(handler: _Handler) -> None:
        _start(handler, 200, len(data))
        handler.wfile.write(data[:keep])
        handler.wfile.flush()
        handler.server.closing.wait(30)
        handler.close_connection = True

    return answer


def trickle(data: bytes, pieces: int, pause_s: float) -> Answer:
    """Send the data in small pieces."""

    def answer(handler: _Handler) -> None:
        _start(handler, 200, len(data))
        step = -(-len(data) // pieces)
        for at in range(0, len(data), step):
            handler.wfile.write(data[at : at + step])
            handler.wfile.flush()
            if handler.server.closing.wait(pause_s):
                return

    return answer


def hang_up() -> Answer:
    """Close without an answer."""

    def answer(handler: _Handler) -> None:
        handler.close_connection = True

    return answer
