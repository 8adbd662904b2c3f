"""A node's own copy of a file that lies on a slow shared file system."""

from __future__ import annotations

import fcntl
import logging
import shutil
import time
from pathlib import Path

from fathomflow.files import atomic_write


def staged(path: Path, folder: Path | None, name: str) -> Path:
    """Copy a file into a folder on the node's own disk, unless it is there already, and return the copy.

    Programs that run side by side on a node and share the folder wait for the first one's copy: a file crosses the
    network once for a node. (Where the folder is a job's own, as `$TMPDIR` may be, that is once for a job.)

    Parameters
    ----------
    path
        The file.
    folder
        Where the copy goes; None leaves the file where it is.
    name
        What the copy is called: by its content, for instance its SHA-256, so that a changed file is copied anew.

    Returns
    -------
    Path
        The copy; the file itself without a folder, or where the folder has no room.
    """
    if folder is None:
        return path
    size = path.stat().st_size
    copy = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if copy.is_file() and copy.stat().st_size == size:
            return copy
        if shutil.disk_usage(folder).free < 2 * size:
            logging.warning("%s: no room for %.1f GB; reading %s where it is", folder, size / 1e9, path)
            return path
        started = time.monotonic()
        with atomic_write(copy) as temporary:
            shutil.copyfile(path, temporary)
    logging.info("copied %.2f GB of weights to %s in %.1f s", size / 1e9, folder, time.monotonic() - started)
    return copy
