"""Fill a folder with a shard's images: each whole, checked and under its name, or not there at all."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path

import requests

from fathomflow.disk import disk_errors
from fathomflow.errors import InputError
from fathomflow.files import atomic_write, sha256_of
from fathomflow.image_check import ImageError, check_image
from fathomflow.image_pins import NO_PINS, Pins, changed, is_pinned
from fathomflow.image_records import ImageEntry, ImageRecord, bad_record, learned_line, ok_record, read_learned, summary
from fathomflow.program import progress
from fathomflow.tables import raise_problems
from fathomflow.web import GONE, AttemptError, Policy, chunks, get, open_session, with_retries

#: A temporary file that nobody has written to for this long belongs to a process that is gone.
ABANDONED_AFTER_S = 3600.0
#: Images decoded at once, whatever the number of downloads. These threads alone take memory for pixels; were each
#: download's to do so, the allocator would keep some for each of them.
DECODERS = min(4, os.cpu_count() or 1)
#: An image that still trickles after this many timeouts is cut off: the attempt has failed.
DEADLINE_TIMEOUTS = 10

Check = Callable[[Path, int, int], str]


class CorruptError(AttemptError):
    """Bytes came, but they are no such image."""


def fetch_image(
    session: requests.Session,
    entry: ImageEntry,
    target: Path,
    policy: Policy,
    pin: str | None = None,
    check: Check = check_image,
) -> ImageRecord:
    """Fetch one image to `target`, streaming, and prove that it is whole before it gets its name.

    Parameters
    ----------
    session, policy
        How to ask.
    entry
        The image.
    target
        Where it shall stand.
    pin
        SHA-256 that it must have; None: any.
    check
        Proves the image, as `check_image` does.

    Returns
    -------
    ImageRecord
        ok; missing (the server says gone); corrupt (what came is no such image, after all attempts) or failed.
    """

    def attempt() -> ImageRecord:
        with get(session, entry.uri, policy) as response, atomic_write(target) as temporary:
            digest = hashlib.sha256()
            size = 0
            with temporary.open("wb") as handle:
                for data in chunks(response, policy, DEADLINE_TIMEOUTS * policy.timeout_s):
                    digest.update(data)
                    size += len(data)
                    handle.write(data)
            try:
                mode = check(temporary, entry.width, entry.height)
            except ImageError as error:
                raise CorruptError(str(error)) from error
            if pin not in (None, digest.hexdigest()):
                raise CorruptError(changed(digest.hexdigest(), pin))
            return ok_record(entry, size, digest.hexdigest(), mode)

    try:
        return with_retries(attempt, policy)
    except AttemptError as error:
        return outcome(entry, error)


def outcome(entry: ImageEntry, error: AttemptError) -> ImageRecord:
    """Return the record of an image that could not be had."""
    if error.status in GONE:
        return bad_record(entry, "missing", error.detail)
    return bad_record(entry, "corrupt" if isinstance(error, CorruptError) else "failed", error.detail)


def inspect_image(entry: ImageEntry, path: Path, pin: str | None = None, check: Check = check_image) -> ImageRecord:
    """Check an image that already lies on disk: decode it, hash it, compare it with its pin."""
    if not path.is_file():
        return bad_record(entry, "missing", "no such file in the folder")
    try:
        mode = check(path, entry.width, entry.height)
    except ImageError as error:
        return bad_record(entry, "corrupt", str(error))
    sha256 = sha256_of(path)
    if pin not in (None, sha256):
        return bad_record(entry, "corrupt", changed(sha256, pin))
    return ok_record(entry, path.stat().st_size, sha256, mode)


def still_there(record: ImageRecord, path: Path, *, full: bool) -> bool:
    """Say whether an ok record still holds: by the file's size, with `full` by its content too."""
    if not path.is_file() or path.stat().st_size != record.bytes:
        return False
    return not full or sha256_of(path) == record.sha256


def fill_store(
    entries: Sequence[ImageEntry],
    store: Path,
    learned: Path,
    *,
    policy: Policy,
    concurrency: int,
    full: bool = False,
    pins: Pins = NO_PINS,
) -> list[ImageRecord]:
    """Fetch what the store lacks of `entries`.

    Parameters
    ----------
    entries
        The shard.
    store
        Folder of the images; files lie under their file_name.
    learned
        File that keeps what is learned across runs, one line per image as it is known.
    policy, concurrency
        How often to try; how many downloads at once.
    full
        Verify images that are there by hash, not by size alone.
    pins
        SHA-256 that images must have, by file_name; images that are not pinned may have any.

    Returns
    -------
    list of ImageRecord
        One per entry, in their order.

    Raises
    ------
    InputError
        The disk is full or not writable, or an image that is not there has no URI.
    """
    raise_problems(
        [
            f"image {entry.image_id}: the annotations give no coco_url for {entry.file_name!r}, and {store} does not "
            "hold it; put the image there, or name the folder that holds the images"
            for entry in entries
            if not entry.uri and not (store / entry.file_name).is_file()
        ]
    )
    remove_abandoned(store, entries)
    session = open_session(concurrency)
    decoders = ThreadPoolExecutor(DECODERS, thread_name_prefix="decode")

    def check(path: Path, width: int, height: int) -> str:
        return decoders.submit(check_image, path, width, height).result()

    def obtain(entry: ImageEntry) -> ImageRecord:
        target = store / entry.file_name
        with disk_errors(store):
            # Present without a record: fetched by another run, or by one that was killed before it could say so.
            if target.is_file():
                record = inspect_image(entry, target, pins.get(entry.file_name), check)
                if record.status == "ok":
                    return record
            return fetch_image(session, entry, target, policy, pins.get(entry.file_name), check)

    def keeps(record: ImageRecord) -> bool:
        if record.status == "ok":
            return is_pinned(record, pins) and still_there(record, store / record.file_name, full=full)
        return record.status == "missing" and not (store / record.file_name).exists()

    with session, decoders:
        return work_through(entries, learned, keeps, obtain, concurrency, "fetching images")


def check_folder(
    entries: Sequence[ImageEntry],
    folder: Path,
    learned: Path,
    *,
    concurrency: int,
    full: bool = False,
    pins: Pins = NO_PINS,
) -> list[ImageRecord]:
    """Check the images of a folder that already holds them; nothing is fetched or written there."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; it should hold the images under their file_name")

    def keeps(record: ImageRecord) -> bool:
        good = record.status == "ok" and is_pinned(record, pins)
        return good and still_there(record, folder / record.file_name, full=full)

    def obtain(entry: ImageEntry) -> ImageRecord:
        return inspect_image(entry, folder / entry.file_name, pins.get(entry.file_name))

    return work_through(entries, learned, keeps, obtain, min(concurrency, DECODERS), "checking images")


def learned_beside(manifest: Path) -> Path:
    """Return where a shard's knowledge outlives a failed job: beside its manifest, hidden."""
    return manifest.with_name(f".{manifest.stem}.learned.jsonl")


def check_share(records: Sequence[ImageRecord], most: float, learned: Path) -> None:
    """Refuse a shard of which a larger share than `most` is worth another run (corrupt or failed).

    What the server says is gone for good does not count here: that is judged over the whole split.
    """
    bad = [record for record in records if record.status in ("corrupt", "failed")]
    if len(bad) > most * len(records):
        first = bad[0]
        raise InputError(
            f"{summary(records)}: more corrupt and failed ones than the share {most:g} that images.max_missing allows; "
            f"the first is {first.file_name} ({first.status}: {first.detail}), all are in {learned}; run again: only "
            "these are fetched"
        )


def remove_abandoned(store: Path, entries: Sequence[ImageEntry]) -> None:
    """Remove temporary files of killed runs from the store."""
    for folder in {(store / entry.file_name).parent for entry in entries}:
        for path in folder.glob(".*.part"):
            # Another run may finish or remove its own file at any moment.
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > ABANDONED_AFTER_S:
                    path.unlink()


def work_through(
    entries: Sequence[ImageEntry],
    learned: Path,
    keeps: Callable[[ImageRecord], bool],
    obtain: Callable[[ImageEntry], ImageRecord],
    concurrency: int,
    description: str,
) -> list[ImageRecord]:
    """Bring every entry to a record: one learned before that still holds, or what `obtain` finds out in a thread.

    Parameters
    ----------
    entries
        The shard.
    learned
        File that each new record is added to as soon as it is known.
    keeps
        Says whether a learned record still holds.
    obtain
        Makes the record of an entry; its InputError ends the whole work.
    concurrency
        Threads.
    description
        What the progress bar says.
    """
    learned_before = read_learned(learned)
    found = [learned_before[entry.image_id] for entry in entries if entry.image_id in learned_before]
    by_id = {entry.image_id: entry for entry in entries}
    candidates = [record for record in found if record.describes(by_id[record.image_id])]
    learned.parent.mkdir(parents=True, exist_ok=True)
    executor = ThreadPoolExecutor(concurrency)
    try:
        kept = executor.map(keeps, candidates)
        known = {record.image_id: record for record, keep in zip(candidates, kept, strict=True) if keep}
        todo = [entry for entry in entries if entry.image_id not in known]
        with (
            learned.open("ab") as journal,
            progress(total=len(entries), initial=len(known), description=description, unit="images") as bar,
        ):
            # A kill may have torn the last line: it must not swallow the next.
            journal.write(b"\n")
            futures: dict[Future[ImageRecord], ImageEntry] = {executor.submit(obtain, entry): entry for entry in todo}
            for future in as_completed(futures):
                record = future.result()
                with disk_errors(learned):
                    journal.write(learned_line(record))
                    journal.flush()
                known[record.image_id] = record
                bar.update()
    finally:
        executor.shutdown(cancel_futures=True)
    return [known[entry.image_id] for entry in entries]
