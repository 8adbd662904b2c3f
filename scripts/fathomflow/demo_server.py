"""Serve a folder on the loopback interface, for the demo study's downloads."""

from __future__ import annotations

import errno
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from fathomflow.errors import InputError


class _Handler(SimpleHTTPRequestHandler):
    """Files of one folder; no listings, no log."""

    protocol_version = "HTTP/1.1"

    def list_directory(self, path: object) -> None:  # noqa: ARG002 - the base class's signature
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet: the downloader says what came."""


def serve_directory(folder: Path, host: str, port: int) -> ThreadingHTTPServer:
    """Serve the files below `folder` from a background thread that ends with the program.

    Parameters
    ----------
    folder
        It may not exist yet; symbolic links that lead out of it are the owner's choice.
    host, port
        Where to listen; port 0 picks a free one (see ``server_port`` of the result).

    Returns
    -------
    ThreadingHTTPServer
        Call ``shutdown`` and ``server_close`` to end it earlier.

    Raises
    ------
    InputError
        The port is taken.
    """
    try:
        server = ThreadingHTTPServer((host, port), partial(_Handler, directory=str(folder)))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise InputError(
            f"demo.port: {port} on {host} is taken, perhaps by another demo; wait for it to end or set another port"
        ) from None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="demo server", daemon=True).start()
    return server
