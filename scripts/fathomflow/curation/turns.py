"""One job at a time on a database in a folder: a lock that ends with its process."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fathomflow.errors import InputError

#: Seconds between two looks, and between two lines that say who is waited for.
LOOK_EVERY_S, LINE_EVERY_S = 0.1, 30.0


@contextmanager
def take_turn(folder: Path, wait_s: float) -> Iterator[None]:
    """Wait until no other process works in `folder`, and keep others out until the block ends.

    The lock is the kernel's: a killed process does not hold it any more. What such a process leaves is its name in
    the file, which the next one mentions.

    Raises
    ------
    InputError
        The turn did not come within `wait_s` seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "turn.lock"
    with path.open("a+", encoding="utf-8") as handle:
        _wait(handle.fileno(), path, wait_s)
        left = path.read_text(encoding="utf-8")
        if left:
            logging.info("%s: the job before (%s) was cut off; going on from what it left", path, _describe(left))
        handle.truncate(0)
        handle.write(json.dumps({"host": platform.node(), "pid": os.getpid()}))
        handle.flush()
        try:
            yield
        finally:
            handle.truncate(0)


def _wait(descriptor: int, path: Path, wait_s: float) -> None:
    started = time.monotonic()
    next_line = started + 1
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            now = time.monotonic()
            holder = _describe(path.read_text(encoding="utf-8"))
        if now - started > wait_s:
            raise InputError(f"{path}: held by {holder} for {wait_s:.0f} s; wait for it, end it, or raise --wait")
        if now > next_line:
            logging.info("waiting for %s to finish with the database", holder)
            next_line = now + LINE_EVERY_S
        time.sleep(LOOK_EVERY_S)


def _describe(text: str) -> str:
    try:
        found = json.loads(text)
        return f"process {found['pid']} on {found['host']}"
    except (ValueError, KeyError, TypeError):
        return "another process"
