"""Which images a split has, and what is known of each: lists, shards, manifests."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

from fathomflow.errors import InputError
from fathomflow.image_names import check_file_names
from fathomflow.storage import is_bucket
from fathomflow.tables import raise_problems, read_table, write_table

#: ok: whole and checked. missing: the server says it is gone, for good. corrupt: what came is no such image.
#: failed: given up, worth another run.
STATUSES = ("ok", "missing", "corrupt", "failed")


@dataclass(frozen=True)
class ImageEntry:
    """An image of a split: where it comes from, what it is called, how large it must be (pixels)."""

    image_id: int
    file_name: str
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class ImageRecord:
    """A row of a manifest. `bytes`, `sha256` and `mode` are known of ok images only (else 0 and empty)."""

    image_id: int
    file_name: str
    uri: str
    status: str
    bytes: int
    sha256: str
    width: int
    height: int
    mode: str
    detail: str

    def describes(self, entry: ImageEntry) -> bool:
        """Say whether the record is about this very entry, not about an earlier version of it.

        An image that was brought into a bucket has its place there as its URI.
        """
        moved = is_bucket(self.uri) and self.uri.endswith(f"/{self.file_name}")
        return all(getattr(self, name) == value or (moved and name == "uri") for name, value in asdict(entry).items())


def ok_record(entry: ImageEntry, size: int, sha256: str, mode: str) -> ImageRecord:
    """Return the record of an image that is whole."""
    return ImageRecord(**asdict(entry), status="ok", bytes=size, sha256=sha256, mode=mode, detail="")


def bad_record(entry: ImageEntry, status: str, detail: str) -> ImageRecord:
    """Return the record of an image that cannot be used."""
    return ImageRecord(**asdict(entry), status=status, bytes=0, sha256="", mode="", detail=detail)


def read_entries(path: Path) -> list[ImageEntry]:
    """Read a split's images.csv, sorted by image_id, and refuse hostile file names before anything uses them."""
    if b"\0" in path.read_bytes() if path.is_file() else False:
        raise InputError(f"{path}: holds a NUL character; remove it from the annotations' file names")
    columns = {field.name: {"int": int, "str": str}[str(field.type)] for field in fields(ImageEntry)}
    table = read_table(path, columns, key="image_id").sort_values("image_id")
    entries = [ImageEntry(*row) for row in table.itertuples(index=False, name=None)]
    check_file_names(str(path), ((entry.image_id, entry.file_name) for entry in entries))
    raise_problems(
        [
            f"{path}: image {entry.image_id}: its size is {entry.width}x{entry.height}; both must be at least 1 pixel"
            for entry in entries
            if min(entry.width, entry.height) < 1
        ]
    )
    return entries


def take_shard(entries: Sequence[ImageEntry], shard: int, of: int) -> list[ImageEntry]:
    """Return shard `shard` (0 … of - 1) of entries sorted by image_id: every `of`-th, so that shards are alike."""
    if not 0 <= shard < of:
        raise InputError(f"shard {shard} of {of}: shards are numbered from 0 to {of - 1}")
    return list(entries[shard::of])


def write_manifest(records: Iterable[ImageRecord], path: Path) -> None:
    """Write records as a manifest CSV, sorted by image_id."""
    columns = [field.name for field in fields(ImageRecord)]
    write_table(pd.DataFrame([asdict(record) for record in records], columns=columns), path, key="image_id")


def read_manifest(path: Path) -> list[ImageRecord]:
    """Read a manifest CSV."""
    columns = {field.name: {"int": int, "str": str}[str(field.type)] for field in fields(ImageRecord)}
    table = read_table(path, columns, key="image_id")
    unknown = sorted(set(table["status"]) - set(STATUSES))
    if unknown:
        raise InputError(f"{path}: status {unknown[0]!r} is unknown; known are {', '.join(STATUSES)}")
    return [ImageRecord(*row) for row in table.itertuples(index=False, name=None)]


def summary(records: Iterable[ImageRecord]) -> str:
    """Count records by status, in words."""
    counts = Counter(record.status for record in records)
    return f"{counts.total()} images: " + ", ".join(f"{counts[status]} {status}" for status in STATUSES)


def read_learned(path: Path) -> dict[int, ImageRecord]:
    """Read what earlier runs learned, by image_id; later lines win, a line torn by a kill is ignored."""
    learned = {}
    if path.is_file():
        for line in path.read_bytes().split(b"\n")[:-1]:
            try:
                record = ImageRecord(**json.loads(line))
            except (ValueError, TypeError):
                continue
            learned[record.image_id] = record
    return learned


def learned_line(record: ImageRecord) -> bytes:
    """Return a record as one line for the file that `read_learned` reads."""
    return json.dumps(asdict(record), ensure_ascii=True).encode() + b"\n"


def gather(entries: Sequence[ImageEntry], shards: Sequence[Path]) -> list[ImageRecord]:
    """Join shard manifests and check that they describe every image of the split exactly once.

    Raises
    ------
    InputError
        An image is absent, stands in two shards, is none of this split, or is described otherwise than in the split.
    """
    wanted = {entry.image_id: entry for entry in entries}
    found: dict[int, ImageRecord] = {}
    problems = []
    for path in shards:
        for record in read_manifest(path):
            image_id = record.image_id
            if image_id not in wanted:
                problems.append(f"{path}: image {image_id} is not in this split; remove the file and run again")
            elif image_id in found:
                problems.append(
                    f"{path}: image {image_id} stands in another shard too; remove the shards and run again"
                )
            elif not record.describes(wanted[image_id]):
                problems.append(f"{path}: image {image_id} is described otherwise than in the annotations; run again")
            found[image_id] = record
    absent = [image_id for image_id in wanted if image_id not in found]
    if absent:
        problems.append(f"{len(absent)} images are in no shard, the first is image {absent[0]}; run the shards again")
    raise_problems(problems)
    return [found[image_id] for image_id in sorted(found)]


def write_usable(records: Sequence[ImageRecord], path: Path, max_missing: float) -> None:
    """Write a split's manifest where enough images are ok; else write it beside, as ``<split>.unusable.csv``.

    The workflow removes what a failed job declared, so the list of what is wrong needs a place of its own.

    Raises
    ------
    InputError
        A larger share than `max_missing` is not ok.
    """
    unusable = path.with_name(f"{path.stem}.unusable.csv")
    counts = Counter(record.status for record in records)
    bad = counts.total() - counts["ok"]
    if bad > max_missing * counts.total():
        write_manifest(records, unusable)
        again = (
            "; run again with --forcerun download_images to retry corrupt and failed ones"
            if bad > counts["missing"]
            else ""
        )
        raise InputError(
            f"{unusable}: {bad} of {counts.total()} images cannot be used ({summary(records)}), more than the share "
            f"{max_missing:g} that images.max_missing allows; look at their details there{again}, or raise "
            "images.max_missing to go on without them"
        )
    write_manifest(records, path)
    unusable.unlink(missing_ok=True)
