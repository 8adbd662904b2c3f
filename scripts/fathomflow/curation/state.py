"""Whose dataset it is and what it was made of: the note that the workflow keeps in a dataset, and repairs by it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import fiftyone as fo

from fathomflow.curation.database import changing
from fathomflow.curation.names import building_name, replaced_name
from fathomflow.errors import InputError

#: Raised when datasets must be built anew because their fields changed.
LAYOUT = 1
_NOTE = "fathomflow"
STUDY, SNAPSHOT, MERGED = "study", "snapshot", "merged"


def read_note(dataset: Any) -> dict[str, Any]:
    """Return the workflow's note in a dataset; empty for a dataset that is not the workflow's."""
    return dict((dataset.info or {}).get(_NOTE) or {})


def write_note(dataset: Any, note: Mapping[str, Any]) -> None:
    """Write the workflow's note; the caller is inside `database.changing` where others may write too."""
    dataset.info[_NOTE] = dict(note)
    dataset.save()


def update_note(dataset: Any, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the note as it stands now, so that two jobs do not lose each other's changes."""
    with changing(dataset.name):
        dataset.reload()
        note = read_note(dataset)
        change(note)
        write_note(dataset, note)


def models_of(dataset: Any) -> dict[str, str]:
    """Return model → field of a dataset."""
    return dict(read_note(dataset).get("models", {}))


def load_dataset(name: str) -> Any:
    """Load a dataset of the workflow's, whatever it is for.

    Raises
    ------
    InputError
        There is none of that name, or it is somebody else's.
    """
    if not fo.dataset_exists(name):
        with building(name):
            recover(name)
    if not fo.dataset_exists(name):
        known = ", ".join(ours()) or "none"
        raise InputError(f"no dataset {name!r} in this database; known here: {known}. `snakemake fiftyone` builds it")
    dataset = fo.load_dataset(name)
    if not read_note(dataset):
        raise InputError(f"dataset {name!r} was not made by this workflow; choose another name in fiftyone.dataset")
    return dataset


def ours() -> list[str]:
    """List the workflow's datasets by name."""
    return [name for name in fo.list_datasets() if read_note(fo.load_dataset(name))]


def claim(name: str, study: str, *, force: bool) -> Any | None:
    """Return the study's dataset, or None where it must be built; the caller is inside `building`.

    Raises
    ------
    InputError
        A dataset of that name belongs to someone else; with `force` it is deleted instead.
    """
    recover(name)
    if not fo.dataset_exists(name):
        return None
    dataset = fo.load_dataset(name)
    note = read_note(dataset)
    if note.get("kind") == STUDY and note.get("study") == study:
        return dataset
    owner = f"is of study {note['study']!r}" if note.get("study") else "was not made by this workflow"
    if note.get("kind") in (SNAPSHOT, MERGED):
        owner = f"is a {note['kind']} dataset"
    if not force:
        raise InputError(f"dataset {name!r} {owner}; choose another name in fiftyone.dataset, or delete it by --force")
    logging.info("deleting dataset %r, which %s (--force)", name, owner)
    fo.delete_dataset(name)
    return None


def building(name: str) -> AbstractContextManager[None]:
    """Let one job at a time build or exchange a dataset, also where many share a server."""
    return changing(f"{name}/whole")


def recover(name: str) -> None:
    """Finish or undo what a killed job left half done with a dataset, so that it is whole or not there.

    The caller is the only one that builds it (`building`).
    """
    if fo.dataset_exists(building_name(name)):
        logging.info("removing a half-built dataset that a job left when it was cut off")
        fo.delete_dataset(building_name(name))
    if fo.dataset_exists(replaced_name(name)):
        if fo.dataset_exists(name):
            fo.delete_dataset(replaced_name(name))
        else:
            logging.info("a job was cut off while it exchanged dataset %r; taking the former one back", name)
            fo.load_dataset(replaced_name(name)).name = name


def exchange(new: Any, name: str) -> None:
    """Give a complete dataset its name; one that has it so far is deleted after that."""
    if fo.dataset_exists(name):
        fo.load_dataset(name).name = replaced_name(name)
    new.name = name
    if fo.dataset_exists(replaced_name(name)):
        fo.delete_dataset(replaced_name(name))
