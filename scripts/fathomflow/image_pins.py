"""Content pins: the hashes that a split's images had once, so that a silent change is noticed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from fathomflow.image_records import ImageRecord
from fathomflow.tables import raise_problems, read_table, write_table

#: SHA-256 by file_name.
Pins = Mapping[str, str]
NO_PINS: Pins = MappingProxyType({})
_CHANGED = "another content than pinned"


def read_pins(path: Path | None) -> Pins:
    """Read a pins file (file_name, sha256, bytes); None gives no pins."""
    if path is None:
        return NO_PINS
    table = read_table(path, {"file_name": str, "sha256": str, "bytes": int}, key="file_name")
    bad = ~table["sha256"].str.fullmatch(r"[0-9a-f]{64}")
    raise_problems(
        [
            f"{path}: row {row + 2}: sha256 {table['sha256'][row]!r} is none; make the file anew"
            for row in table.index[bad]
        ]
    )
    return dict(zip(table["file_name"], table["sha256"], strict=True))


def write_pins(records: Iterable[ImageRecord], path: Path) -> int:
    """Pin the ok images of a manifest and return how many there are."""
    rows = [(record.file_name, record.sha256, record.bytes) for record in records if record.status == "ok"]
    write_table(pd.DataFrame(rows, columns=["file_name", "sha256", "bytes"]), path, key="file_name")
    return len(rows)


def is_pinned(record: ImageRecord, pins: Pins) -> bool:
    """Say whether an ok image has the content that its pin, if it has one, asks for."""
    return pins.get(record.file_name, record.sha256) == record.sha256


def changed(found: str, pin: str | None) -> str:
    """Say that an image's content is not the pinned one."""
    return f"{_CHANGED}: sha256 {found} instead of {pin}"


def check_pins(records: Iterable[ImageRecord], path: Path | None) -> None:
    """Refuse images whose content is not the pinned one, each by its name.

    Raises
    ------
    InputError
        One line per image that changed.
    """
    raise_problems(
        [
            f"{path}: {record.file_name}: {record.detail}; it changed at its source ({record.uri or 'a folder'}): "
            "look at it, then pin it anew (make pin-images) or restore it"
            for record in records
            if record.detail.startswith(_CHANGED)
        ]
    )
