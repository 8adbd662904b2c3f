"""Buckets (gs://, s3://) through fsspec: errors that say what to do, credentials from the environment alone."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fathomflow.errors import InputError

SCHEMES = ("gs", "s3")
_LOG_IN = {
    "gs": "log in with `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS",
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
}


def is_bucket(uri: str) -> bool:
    """Say whether a URI names a place in a bucket."""
    return uri.partition("://")[0] in SCHEMES and "://" in uri


def open_bucket(uri: str) -> tuple[Any, str]:
    """Return the file system of a bucket URI and the path in it.

    Listings are never taken from a cache: others may write to the bucket. Emulators are found through
    STORAGE_EMULATOR_HOST (Google) and AWS_ENDPOINT_URL, as their own tools find them.
    """
    # Here, because the workflow itself and studies without buckets need none of it.
    import fsspec

    scheme, _, path = uri.partition("://")
    if scheme not in SCHEMES or not path.strip("/"):
        raise InputError(f"{uri}: not a bucket; use gs://<bucket>/<folder> or s3://<bucket>/<folder>")
    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme == "gs":
        # Plain HTTP: the newer transport asks for a permission on the bucket's layout that readers seldom have.
        os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        # Named, so that nobody who forgot to log in reads a public bucket without noticing that writing will fail.
        options["token"] = "anon" if os.environ.get("STORAGE_EMULATOR_HOST") else "google_default"
    with bucket_errors(uri):
        return fsspec.filesystem(scheme, **options), path.rstrip("/")


@contextmanager
def bucket_errors(uri: str) -> Iterator[None]:
    """Turn what a bucket refuses into an InputError that says what to do."""
    scheme, _, path = uri.partition("://")
    bucket = path.partition("/")[0]
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        problem = _explain(error, scheme, bucket)
        if problem is None:
            raise
        raise InputError(f"{uri}: {problem}") from None


def _explain(error: Exception, scheme: str, bucket: str) -> str | None:
    """Say what a service's error means and what to do; None for what is no such error."""
    # By name: the classes come from packages that only users of that service need to have.
    name = type(error).__name__
    if isinstance(error, FileNotFoundError):
        return f"no such bucket or object; check the name and make the bucket {bucket!r}"
    # gcsfs tells a refusal in words only.
    if isinstance(error, PermissionError) or str(error).startswith("Forbidden"):
        return f"no permission on bucket {bucket!r}; ask its owner for it, or {_LOG_IN[scheme]}"
    if name in ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError", "RefreshError"):
        return f"no credentials; {_LOG_IN[scheme]}"
    if name in ("EndpointConnectionError", "ConnectTimeoutError", "ClientConnectorError", "ClientConnectionError"):
        return "no connection; check the network and the service's address"
    if isinstance(error, OSError) or name in ("ProfileNotFound", "TokenRetrievalError", "HttpError", "ClientError"):
        return f"refused ({_first_line(error)}); check the name, or {_LOG_IN[scheme]}"
    return None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__


@dataclass(frozen=True)
class BucketFile:
    """A file in a bucket that can be read like a path."""

    files: Any
    path: str

    def read_bytes(self) -> bytes:
        """Return the whole content; FileNotFoundError where there is none."""
        content: bytes = self.files.cat_file(self.path)
        return content

    def open(self, mode: Literal["rb"] = "rb") -> io.BytesIO:
        """Open the whole content for reading."""
        if mode != "rb":
            raise ValueError(f"mode {mode!r}: images are only read")
        return io.BytesIO(self.read_bytes())

    def is_file(self) -> bool:
        """Say whether there is such an object."""
        return bool(self.files.isfile(self.path))

    def __str__(self) -> str:
        return str(self.files.unstrip_protocol(self.path))


@dataclass(frozen=True)
class BucketFolder:
    """A folder in a bucket: ``folder / name`` gives a file to read, as with a path."""

    files: Any
    path: str

    def __truediv__(self, name: str) -> BucketFile:
        return BucketFile(self.files, f"{self.path}/{name}")


#: What images are read from: on disk or in a bucket.
ImageFile = Path | BucketFile
ImageFolder = Path | BucketFolder


def image_folder(uri: str) -> ImageFolder:
    """Return a folder of images, on disk or in a bucket; ``folder / file_name`` has ``read_bytes``."""
    return BucketFolder(*open_bucket(uri)) if is_bucket(uri) else Path(uri)


def version_of(details: dict[str, Any]) -> str:
    """Return what tells one content of an object from another, from its listing: MD5 where the service keeps one."""
    return str(details.get("md5Hash") or details.get("ETag") or details.get("etag") or "").strip('"')


def check_bucket_access(uri: str, *, write: bool) -> list[str]:
    """List a bucket's folder, and with `write` make an object there, read it back and remove it.

    Returns
    -------
    list of str
        What works, in words.

    Raises
    ------
    InputError
        The first thing that does not work, and what to do.
    """
    files, path = open_bucket(uri)
    bucket = path.partition("/")[0]
    with bucket_errors(f"{uri} (listing)"):
        files.ls(bucket, detail=False)
    done = ["can be listed"]
    if write:
        probe, content = f"{path}/.fathomflow-{secrets.token_hex(8)}", secrets.token_bytes(64)
        with bucket_errors(f"{uri} (writing)"):
            files.pipe_file(probe, content)
        try:
            with bucket_errors(f"{uri} (reading)"):
                if files.cat_file(probe) != content:
                    raise InputError(f"{uri}: other bytes came back than were written; ask its owner")
        finally:
            with bucket_errors(f"{uri} (removing)"):
                files.rm_file(probe)
        done += ["written", "read", "cleaned up"]
    return done
