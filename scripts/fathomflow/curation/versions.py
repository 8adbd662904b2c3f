"""Versions of a dataset: snapshots and what can be done with them, and the merging of two studies' datasets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
from bson import ObjectId

from fathomflow.curation.content import combine, content_of, read_images, read_labels
from fathomflow.curation.fields import declare_samples
from fathomflow.curation.names import LABELS, building_name, snapshot_name
from fathomflow.curation.records import KEY, rows_of
from fathomflow.curation.state import (
    LAYOUT,
    MERGED,
    SNAPSHOT,
    building,
    exchange,
    load_dataset,
    models_of,
    ours,
    read_note,
    recover,
    write_note,
)
from fathomflow.errors import InputError
from fathomflow.tables import raise_problems


@dataclass(frozen=True)
class Version:
    """A dataset of the workflow's: what it is, how many boxes it has, the hash of its content and open decisions."""

    name: str
    kind: str
    boxes: int
    content: str


def full_hash(dataset: Any) -> str:
    """Return the SHA-256 of everything in a dataset, people's decisions included."""
    parts = content_of(dataset, models_of(dataset))
    return combine({**parts, "people": parts["decisions"]})


def take_snapshot(name: str, snapshot: str) -> Version:
    """Keep the dataset as it is under a name of its own, and return what was kept.

    Raises
    ------
    InputError
        There is no such dataset, or a snapshot of that name.
    """
    dataset = load_dataset(name)
    if read_note(dataset)["kind"] == SNAPSHOT:
        raise InputError(f"{name!r} is a snapshot itself; take one of the dataset it was taken of")
    target = snapshot_name(name, snapshot)
    if fo.dataset_exists(target):
        raise InputError(f"snapshot {snapshot!r} of {name!r} is there already; delete it, or choose another name")
    with building(target):
        recover(target)
        content = full_hash(dataset)
        clone = dataset.clone(building_name(target), persistent=True)
        kept = {"of": name, "kind": read_note(dataset)["kind"], "content": content}
        write_note(clone, {**read_note(dataset), "kind": SNAPSHOT, "snapshot": kept})
        exchange(clone, target)
    return Version(target, SNAPSHOT, len(rows_of(read_labels(clone), KEY)), content)


def restore_snapshot(name: str, snapshot: str, *, force: bool) -> Version:
    """Make the dataset what it was when the snapshot was taken; the snapshot stays.

    Raises
    ------
    InputError
        There is no such snapshot, it was altered, or the dataset holds something that no snapshot has and `force` is
        not given.
    """
    target = snapshot_name(name, snapshot)
    source = load_dataset(target)
    note = read_note(source)
    kept = note.get("snapshot", {})
    if kept.get("of") != name:
        raise InputError(f"{target!r} is no snapshot of {name!r}")
    content = full_hash(source)
    if content != kept["content"] and not force:
        raise InputError(f"snapshot {snapshot!r} was altered since it was taken; restore it as it is with --force")
    with building(name):
        recover(name)
        if fo.dataset_exists(name) and not force:
            now = full_hash(load_dataset(name))
            if now not in {version.content for version in list_versions() if version.kind == SNAPSHOT}:
                raise InputError(f"{name!r} is in no snapshot as it is now; take one first, or give it up with --force")
        clone = source.clone(building_name(name), persistent=True)
        write_note(clone, {**{key: value for key, value in note.items() if key != "snapshot"}, "kind": kept["kind"]})
        exchange(clone, name)
    return Version(name, kept["kind"], len(rows_of(read_labels(clone), KEY)), content)


def list_versions() -> list[Version]:
    """List the workflow's datasets and snapshots, by name."""
    versions = []
    for name in ours():
        dataset = fo.load_dataset(name)
        note = read_note(dataset)
        boxes = dataset.count(f"{LABELS}.detections")
        versions.append(Version(name, note["kind"], boxes, full_hash(dataset)))
    return versions


def delete_version(name: str, snapshot: str | None, *, force: bool) -> str:
    """Delete a snapshot, or with `force` the dataset itself, and return the name of what is gone."""
    target = name if snapshot is None else snapshot_name(name, snapshot)
    dataset = load_dataset(target)
    if read_note(dataset)["kind"] != SNAPSHOT and not force:
        raise InputError(f"{target!r} is no snapshot; delete it with --force (its files can build it again)")
    fo.delete_dataset(target)
    return target


def merge_datasets(first: str, second: str, target: str) -> Version:
    """Merge the images, boxes and labels of two studies' datasets into a new one; predictions stay behind.

    Raises
    ------
    InputError
        An image is in one split here and in another there (a model would be tested on what it was trained on), or
        in both with different boxes; every such image is named. Or the target is there already.
    """
    if fo.dataset_exists(target):
        raise InputError(f"dataset {target!r} is there already; delete it, or choose another name")
    sources = {name: load_dataset(name) for name in (first, second)}
    content = {name: _by_image(dataset) for name, dataset in sources.items()}
    shared = sorted(content[first].keys() & content[second].keys())
    problems = []
    for image in shared:
        (split, file_name, boxes), (other, other_name, other_boxes) = content[first][image], content[second][image]
        if split != other:
            problems.append(
                f"image {file_name} is in split {split!r} of {first!r} and, as {other_name}, in {other!r} of "
                f"{second!r}; take it out of one"
            )
        elif boxes != other_boxes:
            problems.append(f"image {file_name} of {first!r} has other boxes or labels in {second!r}; mend one of them")
    raise_problems(problems)
    with building(target):
        recover(target)
        merged = fo.Dataset(building_name(target), persistent=True)
        declare_samples(merged)
        models = {field for dataset in sources.values() for field in models_of(dataset).values()}
        taken: set[str] = set()
        for dataset in sources.values():
            runs = [f"{key}_{end}" for key in dataset.list_evaluations() for end in ("tp", "fp", "fn")]
            attributes = [
                path
                for key in dataset.list_evaluations()
                for path in (f"{LABELS}.detections.{key}", f"{LABELS}.detections.{key}_id")
            ]
            fields = [field for field in (*models, *runs, *attributes) if dataset.get_field(field) is not None]
            images = zip(*dataset.values(["id", "sha256"]), strict=True)
            kept = [sample for sample, image in images if image not in taken]
            merged.add_collection(dataset.select(kept).exclude_fields(fields), new_ids=True)
            taken |= set(dataset.values("sha256"))
        # Ids of boxes follow from split and annotation_id, which two studies may share.
        counts = (len(keys or ()) for keys in merged.values(f"{LABELS}.detections.annotation_id"))
        merged.set_values(f"{LABELS}.detections.id", [[str(ObjectId()) for _ in range(n)] for n in counts])
        write_note(merged, {"layout": LAYOUT, "kind": MERGED, "study": f"{first} + {second}", "models": {}})
        exchange(merged, target)
    return Version(target, MERGED, merged.count(f"{LABELS}.detections"), full_hash(merged))


def _by_image(dataset: Any) -> Mapping[str, tuple[str, str, Counter[Any]]]:
    """Return image hash → split, file name, and its boxes with labels."""
    images = read_images(dataset)
    boxes: dict[str, Counter[Any]] = {}
    for sample, place, label in rows_of(read_labels(dataset), ["sample_id", "bounding_box", "study_label"]):
        boxes.setdefault(sample, Counter())[tuple(place), label] += 1
    return {
        image: (split, name, boxes.get(sample, Counter()))
        for image, split, name, sample in rows_of(images, ["sha256", "split", "file_name", "sample_id"])
    }
