"""A MongoDB of one's own in a folder: started, found running, told from leftovers, stopped."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import platform
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
from fiftyone.core.service import DatabaseService, ServiceExecutableNotFound

from fathomflow.errors import InputError
from fathomflow.files import write_text

#: Seconds for MongoDB to come up (it may have a journal to replay) and to go down.
START_S, STOP_S = 120.0, 60.0
#: What mongod leaves with when its files were written by a version that it cannot follow.
_NEEDS_OTHER_VERSION = 62


@dataclass(frozen=True)
class Server:
    """A running MongoDB: where it answers, and what its owner needs to stop it (None: someone else's)."""

    uri: str
    process: subprocess.Popen[bytes] | None = None
    lock: IO[str] | None = None


def start_server(folder: Path) -> Server:
    """Start a MongoDB on the database in `folder`, or find the one that another process keeps running on it.

    The caller must hold the folder's turn (`turns.take_turn`).

    Raises
    ------
    InputError
        There is no mongod, it does not start, or the running one is on another machine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The lock goes with its process, however that ends: a held lock means that the server has an owner.
    lock = (folder / "server.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return _attach(folder)
    try:
        _remove_leftover(folder)
        process, port = _start(folder)
    except BaseException:
        lock.close()
        raise
    write_text(_address(folder), json.dumps({"host": platform.node(), "pid": process.pid, "port": port}) + "\n")
    return Server(_uri(port), process, lock)


def stop_server(server: Server, folder: Path) -> None:
    """Stop a server that `start_server` started; one that was only found keeps running."""
    if server.process is None or server.lock is None:
        return
    server.process.terminate()
    try:
        server.process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()
    _address(folder).unlink(missing_ok=True)
    server.lock.close()


def _address(folder: Path) -> Path:
    return folder / "server.json"


def _uri(port: int) -> str:
    return f"mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=10000"


def _attach(folder: Path) -> Server:
    # Its owner writes the address a moment after it takes the lock.
    until = time.monotonic() + START_S
    while not _address(folder).is_file():
        if time.monotonic() > until:
            raise InputError(f"{folder}: another process holds this database and does not say where; end it")
        time.sleep(0.1)
    found = json.loads(_address(folder).read_text(encoding="utf-8"))
    if found["host"] != platform.node():
        raise InputError(
            f"{folder}: the database runs on {found['host']} (the App?); end it there, work there, or name a server "
            "in FIFTYONE_DATABASE_URI"
        )
    logging.info("using the database server that process %d has running", found["pid"])
    return Server(_uri(found["port"]))


def _remove_leftover(folder: Path) -> None:
    """Stop a server whose owner was killed, so that its files are free."""
    path = _address(folder)
    if not path.is_file():
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(found["pid"])
        if found["host"] == platform.node() and str(folder / "mongo") in process.cmdline():
            logging.info("stopping the database server %d, whose job was killed", process.pid)
            process.terminate()
            process.wait(STOP_S)
    path.unlink()


def _start(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    data, log = folder / "mongo", folder / "mongo.log"
    data.mkdir(exist_ok=True)
    if (data / "mongod.lock").is_file() and (data / "mongod.lock").stat().st_size:
        logging.info("the database was not shut down in order (killed?); MongoDB replays its journal")
    log.unlink(missing_ok=True)
    options = ["--bind_ip", "127.0.0.1", "--port", "0", "--nounixsocket", "--wiredTigerCacheSizeGB", "1"]
    try:
        command = [DatabaseService.find_mongod(), "--dbpath", str(data), "--logpath", str(log), *options]
    except (ServiceExecutableNotFound, PermissionError) as error:
        raise InputError(
            f"FiftyOne's MongoDB cannot be used ({error}); run `make setup`, or name a server in FIFTYONE_DATABASE_URI"
        ) from None
    # A session of its own: Ctrl-C goes to the program, which then stops the server in order.
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise InputError(_why_not_started(process.returncode, data, log))
        with contextlib.suppress(psutil.Error):
            for connection in psutil.Process(process.pid).net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    return process, int(connection.laddr.port)
        time.sleep(0.05)
    process.kill()
    raise InputError(f"{log}: MongoDB does not answer after {START_S:.0f} s; look at the end of this file")


def _why_not_started(status: int, data: Path, log: Path) -> str:
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    if status == _NEEDS_OTHER_VERSION or "DBException: Wrong" in text or "featureCompatibilityVersion" in text:
        return (
            f"{data}: written by another version of MongoDB; use that version, or move the folder away and run again: "
            "the dataset is rebuilt from the study's files"
        )
    if "DBPathInUse" in text:
        return f"{data}: another mongod uses these files (perhaps on another machine); end it"
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    errors = [line["msg"] for line in lines if line.get("s") in ("E", "F")]
    reason = errors[-1] if errors else f"status {status}"
    return f"{data}: MongoDB does not start ({reason}); see {log}, or move the folder away: it is rebuilt from files"
