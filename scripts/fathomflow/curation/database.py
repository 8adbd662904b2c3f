"""Reach FiftyOne's database: embedded in a folder, a server, or Enterprise; problems in one line."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.constants as foc
import fiftyone.core.odm.database as odm
import pymongo
import pymongo.errors
from packaging.version import InvalidVersion, Version

from fathomflow.curation.mongod import start_server, stop_server
from fathomflow.curation.place import WAIT_S, Place, hide_credentials
from fathomflow.curation.turns import take_turn
from fathomflow.errors import InputError

#: Seconds after which a change to a dataset's document counts as abandoned by whoever announced it.
LEASE_S = 60.0


def is_enterprise() -> bool:
    """Say whether the installed SDK is FiftyOne Enterprise's."""
    return bool(foc.CLIENT_TYPE != "fiftyone")


@contextmanager
def open_database(place: Place, *, wait_s: float = WAIT_S, force: bool = False) -> Iterator[None]:
    """Let FiftyOne work on the database while the block runs.

    Parameters
    ----------
    place
        Where it is. An embedded database is used by one job at a time; others wait in line.
    wait_s
        How long to wait.
    force
        Set an embedded database of a newer FiftyOne aside and start an empty one.

    Raises
    ------
    InputError
        The database cannot be reached, refuses us, is of another version, or ended while it was used.
    """
    if os.environ.get("FIFTYONE_API_URI"):
        if not is_enterprise():
            raise InputError("FIFTYONE_API_URI is set, but the installed fiftyone is not Enterprise's; install its SDK")
        yield
        return
    if place.uri:
        with _reported(hide_credentials(place.uri)), _connected(place.uri, embedded=False):
            yield
        return
    keep_inside(place.folder)
    with take_turn(place.folder, wait_s):
        for attempt in (1, 2):
            server = start_server(place.folder)
            try:
                with _reported(str(place.folder)), _connected(server.uri, embedded=True):
                    yield
                return
            except NewerDatabaseError as error:
                if not force or attempt == 2:
                    raise InputError(f"{place.folder}: {error}") from None
            finally:
                stop_server(server, place.folder)
            _set_aside(place.folder)


@contextmanager
def keep_database(place: Place, *, wait_s: float = WAIT_S) -> Iterator[None]:
    """Keep the database running for people while the block runs; jobs may use it in between.

    Raises
    ------
    InputError
        As `open_database`.
    """
    if place.uri or os.environ.get("FIFTYONE_API_URI"):
        with open_database(place):
            yield
        return
    keep_inside(place.folder)
    with take_turn(place.folder, wait_s):
        server = start_server(place.folder)
    try:
        with _reported(str(place.folder)), _connected(server.uri, embedded=True):
            yield
    finally:
        with take_turn(place.folder, wait_s):
            stop_server(server, place.folder)


def keep_inside(folder: Path) -> None:
    """Point everything that FiftyOne would write in the home folder into `folder`, for this process and its App."""
    for name in ("default_dataset_dir", "dataset_zoo_dir", "model_zoo_dir", "plugins_dir"):
        path = str(folder / "fiftyone" / name.removesuffix("_dir"))
        os.environ[f"FIFTYONE_{name.upper()}"] = path
        setattr(fo.config, name, path)


class NewerDatabaseError(Exception):
    """A newer FiftyOne has used the database."""


@contextmanager
def _connected(uri: str, *, embedded: bool) -> Iterator[None]:
    variables = {"FIFTYONE_DATABASE_URI": uri}
    if embedded:
        # The bundled MongoDB is the one that FiftyOne brings: no need to warn of its age every time.
        variables["FIFTYONE_DATABASE_VALIDATION"] = "false"
        fo.config.database_validation = False
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    fo.config.database_uri = uri
    try:
        _check_version(uri, embedded=embedded)
        yield
    finally:
        if odm._client is not None:
            with contextlib.suppress(pymongo.errors.PyMongoError):
                # FiftyOne does this when Python exits, which is after the server has gone.
                odm._delete_non_persistent_datasets_if_allowed()
        odm._disconnect()
        odm._connection_kwargs.clear()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _check_version(uri: str, *, embedded: bool) -> None:
    client: pymongo.MongoClient[dict[str, Any]]
    with pymongo.MongoClient(uri) as client:
        document: dict[str, Any] = client[fo.config.database_name]["config"].find_one() or {}
    found = document.get("version")
    if not found:
        return
    try:
        other = Version(Version(found).base_version)
    except InvalidVersion:
        raise InputError(f"the database says that it is of FiftyOne {found!r}, which is no version") from None
    own = Version(Version(foc.VERSION).base_version)
    if other > own:
        message = f"the database was last used by FiftyOne {found}, this is {foc.VERSION}; install {found}"
        if embedded:
            raise NewerDatabaseError(
                f"{message}, or set the database aside and build a new one from the study's files with --force"
            )
        raise InputError(f"{message}, or use another server")
    if other < own:
        logging.info("the database is of FiftyOne %s; FiftyOne %s migrates it", found, foc.VERSION)


def _set_aside(folder: Path) -> None:
    place = folder / f"mongo.{time.strftime('%Y%m%d-%H%M%S')}"
    (folder / "mongo").rename(place)
    logging.info("set the database of a newer FiftyOne aside as %s", place)


@contextmanager
def _reported(where: str) -> Iterator[None]:
    """Turn what a lost or refusing database raises into one line without its address's credentials."""
    try:
        yield
    except (pymongo.errors.ConnectionFailure, ConnectionError):
        raise InputError(
            f"{where}: the database does not answer (not started, or killed?); start it and run again: what was cut "
            "off is done again, nothing is lost"
        ) from None
    except pymongo.errors.ConfigurationError:
        raise InputError(f"{where}: FIFTYONE_DATABASE_URI is no address of a MongoDB; correct it") from None
    except pymongo.errors.OperationFailure as error:
        if error.code in (13, 18):
            raise InputError(
                f"{where}: the database refuses this user; correct the name and password in FIFTYONE_DATABASE_URI"
            ) from None
        raise


@contextmanager
def changing(name: str) -> Iterator[None]:
    """Keep other jobs from changing the document of dataset `name` (fields, runs, views) while the block runs.

    FiftyOne reads that document, changes it and writes it back whole, so two at once lose one's changes. Values in
    samples need no such care. The caller reloads the dataset inside.
    """
    locks = odm.get_db_conn()["fathomflow_locks"]
    held = {"_id": name, "token": os.urandom(12).hex()}
    while True:
        now = time.time()
        try:
            # A lease that ran out is taken over; one that runs makes the upsert clash on _id.
            locks.update_one(
                {"_id": name, "until": {"$lt": now}}, {"$set": held | {"until": now + LEASE_S}}, upsert=True
            )
            break
        except pymongo.errors.DuplicateKeyError:
            time.sleep(0.05)
    done = threading.Event()

    def renew() -> None:
        while not done.wait(LEASE_S / 3):
            locks.update_one(held, {"$set": {"until": time.time() + LEASE_S}})

    renewal = threading.Thread(target=renew, daemon=True)
    renewal.start()
    try:
        yield
    finally:
        done.set()
        renewal.join()
        locks.delete_one(held)
