"""Download over HTTP into a partial file that later attempts and later runs continue."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import requests

from fathomflow.disk import require_space
from fathomflow.errors import InputError
from fathomflow.files import write_text
from fathomflow.program import progress
from fathomflow.web import CHUNK, GONE, AttemptError, Policy, chunks, get, open_session, with_retries

RANGE_NOT_SATISFIABLE = 416


@dataclass(frozen=True)
class _Partial:
    """What the bytes in a partial file belong to: they are continued only when all of it still holds."""

    uri: str
    validator: str
    length: int


def download(uri: str, folder: Path, policy: Policy) -> Path:
    """Download `uri` into `folder`, which is this file's alone, and return the whole file's path there.

    Bytes that an earlier run left are continued where the server vouches that they are of the same version.

    Raises
    ------
    InputError
        No answer after all attempts, or not enough disk space.
    """
    partial, note = folder / "content", folder / "content.json"
    with open_session() as session:
        try:
            with_retries(lambda: _continue(session, uri, partial, note, policy), policy)
        except AttemptError as error:
            hint = "check the address" if error.status in GONE else "run again, what came is kept and continued"
            raise InputError(f"{uri}: {error.detail}; {hint}") from None
    return partial


def _continue(session: requests.Session, uri: str, partial: Path, note: Path, policy: Policy) -> int:
    """Complete the partial file and return its size; a connection that brought something is not counted as failed."""
    while True:
        start, headers = 0, {}
        known = _read_note(note)
        if known is not None and known.uri == uri and known.validator and partial.is_file():
            start = partial.stat().st_size
            if start == known.length:
                return start
            headers = {"Range": f"bytes={start}-", "If-Range": known.validator}
        try:
            with get(session, uri, policy, headers if start else {}) as response:
                return _append(response, uri, partial, note, start, policy)
        except AttemptError as error:
            if error.status == RANGE_NOT_SATISFIABLE:
                # The kept bytes reach beyond the file's end: they are of another version.
                note.unlink(missing_ok=True)
                raise AttemptError(error.detail) from None
            known = _read_note(note)
            gained = partial.stat().st_size - start if known is not None and known.validator else 0
            if gained < CHUNK:
                raise


def _append(response: requests.Response, uri: str, partial: Path, note: Path, start: int, policy: Policy) -> int:
    """Write a response's body at the place in the partial file that it belongs to."""
    if response.status_code == requests.codes.ok:
        start = 0
    elif not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
        note.unlink(missing_ok=True)
        raise AttemptError("the server sent another part of the file than asked for")
    length = response.headers.get("Content-Length", "")
    total = start + int(length) if length.isdigit() else -1
    require_space(partial.parent, total - start)
    # A weak validator promises the same meaning, not the same bytes.
    etag = response.headers.get("ETag", "")
    validator = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")
    partial.touch()
    with partial.open("r+b") as handle:
        handle.truncate(start)
        handle.seek(start)
        write_text(note, json.dumps(asdict(_Partial(uri, validator, total))))
        with progress(total=max(total, 0), initial=start, description=f"fetching {uri}", unit="B", scale=True) as bar:
            for data in chunks(response, policy):
                handle.write(data)
                bar.update(len(data))
        handle.flush()
        os.fsync(handle.fileno())
        return handle.tell()


def _read_note(note: Path) -> _Partial | None:
    try:
        return _Partial(**json.loads(note.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
