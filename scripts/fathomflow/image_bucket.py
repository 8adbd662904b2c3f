"""Fill a bucket with a shard's images, straight from their source: no copy stays on disk."""

from __future__ import annotations

import hashlib
import io
import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests

from fathomflow.errors import InputError
from fathomflow.files import write_text
from fathomflow.image_check import ImageError, check_image
from fathomflow.image_pins import NO_PINS, Pins, changed, is_pinned
from fathomflow.image_records import ImageEntry, ImageRecord, bad_record, ok_record
from fathomflow.image_store import DEADLINE_TIMEOUTS, CorruptError, outcome, work_through
from fathomflow.storage import bucket_errors, open_bucket, version_of
from fathomflow.web import AttemptError, Policy, chunks, get, open_session, with_retries


def fill_bucket(
    entries: Sequence[ImageEntry],
    destination: str,
    learned: Path,
    *,
    policy: Policy,
    concurrency: int,
    source: Path | None = None,
    full: bool = False,
    pins: Pins = NO_PINS,
) -> list[ImageRecord]:
    """Upload what the bucket lacks of `entries`.

    Parameters
    ----------
    entries
        The shard.
    destination
        Folder in a bucket (gs://, s3://); objects lie under their file_name.
    learned
        File that keeps what is learned across runs.
    policy, concurrency
        How often to try; how many images at once, each held in memory while it passes.
    source
        Folder that holds the images; None: each comes from its URI.
    full
        Read images that are there and compare their hash, rather than the checksum that the bucket lists.
    pins
        SHA-256 that images must have, by file_name.

    Returns
    -------
    list of ImageRecord
        One per entry, in their order; those of ok images carry the bucket's URI.
    """
    files, root = open_bucket(destination)
    there = _listing(files, root, destination)
    seen = _read_versions(learned)

    def uri_of(entry: ImageEntry) -> str:
        return f"{destination.rstrip('/')}/{entry.file_name}"

    def keeps(record: ImageRecord) -> bool:
        details = there.get(record.file_name)
        if record.status != "ok":
            return record.status == "missing" and details is None and source is None
        if details is None or int(details["size"]) != record.bytes or not is_pinned(record, pins):
            return False
        if full:
            content: bytes = files.cat_file(f"{root}/{record.file_name}")
            return hashlib.sha256(content).hexdigest() == record.sha256
        return seen.get(record.file_name) == version_of(details)

    def obtain(entry: ImageEntry) -> ImageRecord:
        path = f"{root}/{entry.file_name}"
        with bucket_errors(uri_of(entry)):
            if entry.file_name in there:
                # There without a record of ours: another run's, taken when it is the right image.
                content = files.cat_file(path)
                record = examine(entry, content, pins.get(entry.file_name))
                if record.status == "ok" and not _differs_from_source(entry, source, record.sha256):
                    seen[entry.file_name] = version_of(there[entry.file_name])
                    return replace(record, uri=uri_of(entry))
            return upload(entry, path)

    def upload(entry: ImageEntry, path: str) -> ImageRecord:
        pin = pins.get(entry.file_name)

        def attempt() -> tuple[ImageRecord, bytes]:
            content = _read_source(session, entry, source, policy)
            record = examine(entry, content, pin)
            if record.status != "ok":
                raise CorruptError(record.detail, transient=source is None)
            return record, content

        try:
            record, content = with_retries(attempt, policy)
        except FileNotFoundError:
            return bad_record(entry, "missing", "no such file in the folder")
        except AttemptError as error:
            return outcome(entry, error)
        seen[entry.file_name] = put(files, path, content)
        return replace(record, uri=uri_of(entry))

    with open_session(concurrency) as session:
        try:
            return work_through(entries, learned, keeps, obtain, concurrency, "uploading images")
        finally:
            write_text(_versions_beside(learned), json.dumps(dict(sorted(seen.items())), indent=0) + "\n")


def check_bucket(
    entries: Sequence[ImageEntry],
    folder: str,
    learned: Path,
    *,
    concurrency: int,
    full: bool = False,
    pins: Pins = NO_PINS,
) -> list[ImageRecord]:
    """Check the images of a bucket that already holds them, by reading each one once; nothing is written there."""
    files, root = open_bucket(folder)
    there = _listing(files, root, folder)
    seen = _read_versions(learned)

    def keeps(record: ImageRecord) -> bool:
        details = there.get(record.file_name)
        good = record.status == "ok" and details is not None and is_pinned(record, pins) and not full
        return good and details is not None and seen.get(record.file_name) == version_of(details)

    def obtain(entry: ImageEntry) -> ImageRecord:
        if entry.file_name not in there:
            return bad_record(entry, "missing", "no such object in the bucket")
        with bucket_errors(f"{folder}/{entry.file_name}"):
            content = files.cat_file(f"{root}/{entry.file_name}")
        seen[entry.file_name] = version_of(there[entry.file_name])
        record = examine(entry, content, pins.get(entry.file_name))
        return replace(record, uri=f"{folder.rstrip('/')}/{entry.file_name}") if record.status == "ok" else record

    try:
        return work_through(entries, learned, keeps, obtain, concurrency, "checking images")
    finally:
        write_text(_versions_beside(learned), json.dumps(dict(sorted(seen.items())), indent=0) + "\n")


def examine(entry: ImageEntry, content: bytes, pin: str | None) -> ImageRecord:
    """Check an image held in memory: whole, of the annotated size, with its pinned content."""
    try:
        mode = check_image(io.BytesIO(content), entry.width, entry.height)
    except ImageError as error:
        return bad_record(entry, "corrupt", str(error))
    sha256 = hashlib.sha256(content).hexdigest()
    if pin not in (None, sha256):
        return bad_record(entry, "corrupt", changed(sha256, pin))
    return ok_record(entry, len(content), sha256, mode)


def put(files: Any, path: str, content: bytes) -> str:
    """Write one object, whole or not at all, and return its version after comparing what the bucket says of it."""
    files.pipe_file(path, content)
    details = files.info(path)
    md5 = hashlib.md5(content, usedforsecurity=False).digest()
    version = version_of(details)
    # A bucket that encrypts with keys of its own lists no MD5; there the size is what can be compared.
    plain = len(version) == 2 * len(md5) and not details.get("SSEKMSKeyId")
    if int(details["size"]) != len(content) or (
        version not in (md5.hex(), b64encode(md5).decode()) and (plain or details.get("md5Hash"))
    ):
        raise InputError(f"{path}: the bucket holds other bytes than were sent; run again")
    return version


def _read_source(session: requests.Session, entry: ImageEntry, source: Path | None, policy: Policy) -> bytes:
    if source is not None:
        return (source / entry.file_name).read_bytes()
    with get(session, entry.uri, policy) as response:
        return b"".join(chunks(response, policy, DEADLINE_TIMEOUTS * policy.timeout_s))


def _differs_from_source(entry: ImageEntry, source: Path | None, sha256: str) -> bool:
    if source is None or not (source / entry.file_name).is_file():
        return False
    return hashlib.sha256((source / entry.file_name).read_bytes()).hexdigest() != sha256


def _listing(files: Any, root: str, uri: str) -> dict[str, dict[str, Any]]:
    """List a folder once, by file_name: thousands of single questions would cost a request each."""
    with bucket_errors(uri):
        try:
            found = files.find(root, detail=True)
        except FileNotFoundError:
            # A folder in a bucket exists only through its objects.
            files.ls(root.partition("/")[0])
            found = {}
    return {path.removeprefix(f"{root}/"): details for path, details in found.items()}


def _versions_beside(learned: Path) -> Path:
    return learned.with_suffix(".versions.json")


def _read_versions(learned: Path) -> dict[str, str]:
    path = _versions_beside(learned)
    versions: dict[str, str] = json.loads(path.read_text()) if path.is_file() else {}
    return versions
