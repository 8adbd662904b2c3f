"""Disks that are full, or not ours to write to, said in words."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fathomflow.errors import InputError

#: Errors of the disk, not of one file: no other would fare better.
DISK_ERRORS = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EACCES: "no permission to write here; ask its owner or choose another folder",
}


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Turn errors that concern the whole disk into an InputError that names the place."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        raise InputError(f"{place}: {DISK_ERRORS[error.errno]}") from error


def require_space(folder: Path, needed: int) -> None:
    """Refuse to start what cannot fit: `needed` bytes in `folder`; a negative number means that nobody knows."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{folder}: {needed / 1e9:.3g} GB are needed and {free / 1e9:.3g} GB are free; free some space or choose "
            "another folder (paths.data)"
        )
