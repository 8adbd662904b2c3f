"""The part of Google Cloud Storage's JSON interface that gcsfs speaks, kept in memory, on the loopback interface.

Objects appear whole when their upload is whole, listings come in pages, ranges are honoured, and what does not exist
answers 404 with an error document, as the service does.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

PAGE = 7


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: GcsServer

    def log_message(self, *args):
        pass

    def _answer(self, code, body=b"", headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        for name, value in {"Content-Type": "application/json", **dict(headers)}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _refuse(self, code, message):
        self._answer(code, {"error": {"code": code, "message": message}})

    def _route(self):
        parts = urlsplit(self.path)
        found = re.fullmatch(r"(?:/upload|/download)?/storage/v1/b/([^/]+)(?:/o(?:/(.+))?)?", parts.path)
        if found is None:
            self._refuse(404, f"no such method: {parts.path}")
            return None
        bucket, key = unquote(found[1]), found[2] and unquote(found[2])
        if bucket not in self.server.buckets:
            self._refuse(404, "The specified bucket does not exist.")
            return None
        if self.command not in self.server.allowed:
            self._refuse(403, "The caller does not have permission")
            return None
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return self.server.buckets[bucket], bucket, key, query, parts.path

    def do_GET(self):
        route = self._route()
        if route is None:
            return
        objects, bucket, key, query, path = route
        if key is None and not path.endswith("/o"):
            self._answer(200, {"kind": "storage#bucket", "name": bucket, "id": bucket})
        elif key is None:
            self._list(objects, bucket, query)
        elif key not in objects:
            self._refuse(404, f"No such object: {bucket}/{key}")
        elif query.get("alt") == "media":
            self.server.count["read"] += 1
            data = objects[key]
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if asked is None:
                self._answer(200, data)
            else:
                part = data[int(asked[1]) : int(asked[2]) + 1 if asked[2] else None]
                self._answer(
                    206, part, {"Content-Range": f"bytes {asked[1]}-{int(asked[1]) + len(part) - 1}/{len(data)}"}
                )
        else:
            self._answer(200, describe(bucket, key, objects[key]))

    def _list(self, objects, bucket, query):
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        keys, prefixes = [], set()
        for key in sorted(objects):
            if key.startswith(prefix):
                rest = key[len(prefix) :]
                if delimiter and delimiter in rest:
                    prefixes.add(prefix + rest.partition(delimiter)[0] + delimiter)
                else:
                    keys.append(key)
        start = int(query.get("pageToken", 0))
        end = start + min(PAGE, int(query.get("maxResults", PAGE)))
        page = {"kind": "storage#objects", "items": [describe(bucket, key, objects[key]) for key in keys[start:end]]}
        page["prefixes"] = sorted(prefixes) if start == 0 else []
        if end < len(keys) and int(query.get("maxResults", 1000)) > PAGE:
            page["nextPageToken"] = str(end)
        self._answer(200, page)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        route = self._route()
        if route is None:
            return
        objects, bucket, _, query, _ = route
        boundary = re.search(r'boundary="?([^"]+)"?', self.headers["Content-Type"])[1].encode()
        if query.get("uploadType") != "multipart":
            self._refuse(400, "only multipart uploads")
            return
        _, first, second = body.split(b"--" + boundary + b"\n", 2)
        key = json.loads(first.partition(b"\n\n")[2])["name"]
        data, end, _ = second.partition(b"\n\n")[2].rpartition(b"\n--" + boundary + b"--")
        if not end:
            self._refuse(400, "the upload is not whole")
            return
        with self.server.lock:
            objects[key] = data
            self.server.count["uploaded"] += 1
        self._answer(200, describe(bucket, key, data))

    def do_DELETE(self):
        route = self._route()
        if route is None:
            return
        objects, bucket, key, _, _ = route
        if objects.pop(key, None) is None:
            self._refuse(404, f"No such object: {bucket}/{key}")
        else:
            self._answer(204)


def describe(bucket: str, key: str, data: bytes) -> dict[str, str]:
    digest = hashlib.md5(data, usedforsecurity=False).digest()
    return {
        "kind": "storage#object",
        "bucket": bucket,
        "name": key,
        "size": str(len(data)),
        "md5Hash": base64.b64encode(digest).decode(),
        "generation": str(int.from_bytes(digest[:6], "big")),
        "etag": digest.hex(),
        "updated": "2025-01-01T00:00:00.000Z",
        "timeCreated": "2025-01-01T00:00:00.000Z",
    }


class GcsServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *buckets: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.buckets: dict[str, dict[str, bytes]] = {name: {} for name in buckets}
        self.allowed = {"GET", "POST", "DELETE"}
        self.count: Counter[str] = Counter()
        self.lock = threading.Lock()


@contextmanager
def serving_gcs(*buckets: str) -> Iterator[GcsServer]:
    with GcsServer(*buckets) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
