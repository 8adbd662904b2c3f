"""Checkpoints: large, fetched once, kept beyond failed and repeated jobs, known by their hash."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from fathomflow.errors import InputError
from fathomflow.fetch import Fetched, fetch, hash_local, local_file
from fathomflow.files import write_text
from fathomflow.web import Policy


def obtain_checkpoint(
    uri: str, store: Path, record: Path, *, sha256: str | None = None, policy: Policy | None = None
) -> Fetched:
    """Make sure that a checkpoint is there and write down what it is.

    Parameters
    ----------
    uri
        Where it comes from. A file of this machine is hashed where it lies, not copied.
    store
        Where a download stands. A file that is there is taken, after its hash is compared with `sha256` or with what
        was noted when it was fetched; so a checkpoint can also be put there by hand.
    record
        JSON to write: uri, sha256, bytes.
    sha256
        The hash that it must have; None: it is recorded only.

    Raises
    ------
    InputError
        It cannot be fetched, or it is not the one that was meant.
    """
    source = local_file(uri)
    if source is not None:
        fetched = hash_local(uri, source, sha256)
    else:
        fetched = _take_stored(uri, store, sha256) or _fetch(uri, store, sha256, policy)
    write_text(record, to_json(fetched))
    return fetched


def to_json(fetched: Fetched) -> str:
    """Return the record as the text of a JSON file."""
    return json.dumps(asdict(fetched), indent=2) + "\n"


def note_beside(store: Path) -> Path:
    """Return where it is noted what a stored checkpoint is."""
    return store.with_name(f"{store.name}.json")


def _fetch(uri: str, store: Path, sha256: str | None, policy: Policy | None) -> Fetched:
    fetched = fetch(uri, store, sha256=sha256, policy=policy)
    write_text(note_beside(store), to_json(fetched))
    return fetched


def _take_stored(uri: str, store: Path, sha256: str | None) -> Fetched | None:
    """Describe the stored file when it is the one that is meant, None when there is none or it is of another URI."""
    if not store.is_file():
        return None
    note = note_beside(store)
    noted = json.loads(note.read_text()) if note.is_file() else None
    if noted is not None and noted["uri"] != uri:
        return None
    fetched = hash_local(uri, store, None)
    expected = sha256 or (noted or {}).get("sha256")
    if expected is not None and fetched.sha256 != expected:
        raise InputError(
            f"{store}: sha256 expected {expected}, found {fetched.sha256}; correct the sha256 in the configuration, or "
            "remove the file to fetch it again"
        )
    if noted is None:
        write_text(note, to_json(fetched))
    return fetched
