"""Fetch one file by its URI: whole, checked and under its name, or not there at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from fathomflow.disk import disk_errors
from fathomflow.errors import InputError
from fathomflow.fetch_http import download
from fathomflow.files import atomic_write, sha256_of
from fathomflow.web import Policy


@dataclass(frozen=True)
class Fetched:
    """What a URI gave: SHA-256 of its content and its size in bytes."""

    uri: str
    sha256: str
    bytes: int


def local_file(uri: str) -> Path | None:
    """Return the path that a file URI or a plain path names, None for any other URI."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return None if "://" in uri else Path(uri)


def fetch(uri: str, path: Path, *, sha256: str | None = None, policy: Policy | None = None) -> Fetched:
    """Fetch `uri` to `path`.

    Parameters
    ----------
    uri
        https, http, gdrive, hf, gs, s3, file, or a plain path.
    path
        Where the file shall stand; it appears only when it is whole and has the hash that it must have.
    sha256
        The hash that it must have; None: any.
    policy
        How often to try and how long to wait.

    Raises
    ------
    InputError
        No such file, no answer after all attempts, another hash than expected, a full disk.
    """
    source = local_file(uri)
    if source is not None:
        return _copy(uri, source, path, sha256)
    return _download(uri, path, sha256, policy or Policy())


def fetch_annotations(uri: str, path: Path, *, sha256: str | None = None, policy: Policy | None = None) -> Fetched:
    """Fetch a JSON file; a web page that a server gives instead of it is refused like a wrong hash."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder, "annotations.json")
        fetched = fetch(uri, scratch, sha256=sha256, policy=policy)
        try:
            json.loads(scratch.read_bytes())
        except ValueError as error:
            raise InputError(f"{uri}: what came is not JSON ({error}); check the address") from None
        with disk_errors(path.parent), atomic_write(path) as temporary:
            shutil.copyfile(scratch, temporary)
    return fetched


def check_sha256(source: str, found: str, expected: str | None) -> None:
    """Refuse content that is not what was asked for."""
    if expected is not None and found != expected:
        raise InputError(
            f"{source}: sha256 expected {expected}, found {found}; correct the sha256 in the configuration if the new "
            "content is what you want"
        )


def hash_local(uri: str, path: Path, sha256: str | None) -> Fetched:
    """Describe a file where it lies."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the uri {uri!r}")
    found = sha256_of(path)
    check_sha256(str(path), found, sha256)
    return Fetched(uri, found, path.stat().st_size)


def _copy(uri: str, source: Path, path: Path, sha256: str | None) -> Fetched:
    fetched = hash_local(uri, source, sha256)
    with disk_errors(path.parent), atomic_write(path) as temporary:
        shutil.copyfile(source, temporary)
        # The source may have changed since it was hashed.
        check_sha256(str(source), sha256_of(temporary), fetched.sha256)
    return fetched


def _obtain(uri: str, folder: Path, policy: Policy) -> Path:
    """Bring the whole content into a folder of its own, by what the URI's scheme names."""
    scheme = urlsplit(uri).scheme
    # Imported where needed: most studies use one of these services at most.
    if scheme in ("http", "https"):
        return download(uri, folder, policy)
    if scheme == "gdrive":
        from fathomflow.fetch_drive import download_from_drive

        return download_from_drive(uri, folder, policy)
    if scheme == "hf":
        from fathomflow.fetch_hub import download_from_hub

        return download_from_hub(uri, folder)
    if scheme in ("gs", "s3"):
        from fathomflow.fetch_bucket import download_from_bucket

        return download_from_bucket(uri, folder, policy)
    raise InputError(f"{uri}: cannot fetch {scheme}://; use https, http, gdrive, hf, gs, s3, file, or a path")


def _download(uri: str, path: Path, sha256: str | None, policy: Policy) -> Fetched:
    """Download beside `path`; what a broken or killed download left is kept there and continued."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = path.with_name(f".{path.name}.download")
    with disk_errors(path.parent), _locked(path):
        folder.mkdir(exist_ok=True)
        try:
            content = _obtain(uri, folder, policy)
        finally:
            # An empty folder holds nothing to continue.
            with contextlib.suppress(OSError):
                folder.rmdir()
        digest = sha256_of(content)
        try:
            check_sha256(uri, digest, sha256)
            refuse_page(uri, content)
        except InputError:
            # It is whole and wrong: nothing of it may be continued.
            shutil.rmtree(folder)
            raise
        size = content.stat().st_size
        content.replace(path)
        shutil.rmtree(folder)
    return Fetched(uri, digest, size)


def refuse_page(uri: str, path: Path) -> None:
    """Refuse a web page: servers send their errors, log-ins and quota notices as one, with status 200."""
    with path.open("rb") as handle:
        start = handle.read(512).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise InputError(
            f"{uri}: a web page came instead of the file; open the address in a browser to see what it says"
        )


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other runs that share the folder from fetching the same file at the same time."""
    with path.with_name(f".{path.name}.lock").open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{path}: another run is fetching this file; wait for it to end, then run again") from None
        except OSError as error:
            # Some network file systems know no locks; there the hash, where one is given, is what protects.
            if error.errno not in (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK):
                raise
        yield
