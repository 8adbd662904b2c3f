"""Keep, list, restore and delete versions of a study's FiftyOne dataset, and merge two studies' datasets."""

from __future__ import annotations

import argparse

from fathomflow.curation.arguments import add_database, place_of
from fathomflow.curation.database import open_database
from fathomflow.curation.versions import (
    delete_version,
    list_versions,
    merge_datasets,
    restore_snapshot,
    take_snapshot,
)
from fathomflow.program import run


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    add_database(result)
    commands = result.add_subparsers(dest="command", required=True, metavar="COMMAND")
    snapshot = commands.add_parser("snapshot", help="keep the dataset as it is, decisions included")
    restore = commands.add_parser("restore", help="make the dataset what a snapshot kept")
    delete = commands.add_parser("delete", help="delete a snapshot, or with --force a dataset")
    for command in (snapshot, restore, delete):
        command.add_argument("dataset", help="name of the dataset")
    snapshot.add_argument("name", help="name of the snapshot")
    restore.add_argument("name", help="name of the snapshot")
    delete.add_argument("name", nargs="?", help="name of the snapshot; none: the dataset itself")
    for command in (restore, delete):
        command.add_argument("--force", action="store_true", help="give up what no snapshot holds")
    commands.add_parser("list", help="list datasets and snapshots")
    merge = commands.add_parser("merge", help="merge the images, boxes and labels of two studies")
    merge.add_argument("first", help="name of a dataset")
    merge.add_argument("second", help="name of another dataset")
    merge.add_argument("target", help="name of the new dataset")
    return result


def main(arguments: argparse.Namespace) -> str:
    with open_database(place_of(arguments), wait_s=arguments.wait):
        match arguments.command:
            case "snapshot":
                version = take_snapshot(arguments.dataset, arguments.name)
            case "restore":
                version = restore_snapshot(arguments.dataset, arguments.name, force=arguments.force)
            case "merge":
                version = merge_datasets(arguments.first, arguments.second, arguments.target)
            case "delete":
                gone = delete_version(arguments.dataset, arguments.name, force=arguments.force)
                return f"deleted {gone!r}"
            case _:
                versions = list_versions()
                for one in versions:
                    print(f"{one.name}\t{one.kind}\t{one.boxes} boxes\t{one.content[:12]}")
                return f"{len(versions)} datasets"
    return f"{version.name!r}: {version.boxes} boxes, content {version.content[:12]}"


if __name__ == "__main__":
    run(main, parser())
