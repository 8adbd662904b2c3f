"""File names from annotation files become paths on disk: only harmless ones may."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from fathomflow.tables import raise_problems

#: What Linux file systems allow in one name, less what a temporary name adds.
MOST_BYTES = 255


def problem_with(name: str) -> str | None:
    """Say what forbids to use `name` as a path below a folder, or None when nothing does."""
    parts = name.split("/")
    checks = {
        "is empty": not name,
        "is an absolute path": name.startswith("/"),
        "leads out of its folder": ".." in parts,
        "has an empty or '.' part": bool(name) and not name.startswith("/") and ("" in parts or "." in parts),
        "holds a backslash": "\\" in name,
        "holds a control character": any(ord(character) < 32 or ord(character) == 127 for character in name),
        f"has a part longer than {MOST_BYTES} bytes": any(
            len(part.encode("utf-8", "surrogatepass")) > MOST_BYTES for part in parts
        ),
        "is no valid text": any(0xD800 <= ord(character) < 0xE000 for character in name),
    }
    return next((problem for problem, holds in checks.items() if holds), None)


def check_file_names(source: str, names: Iterable[tuple[int, str]]) -> None:
    """Refuse hostile and clashing file names, all of them at once.

    Parameters
    ----------
    source
        The file that the names come from, for messages.
    names
        (image_id, file_name) of every image.

    Raises
    ------
    InputError
        A name that cannot be used below a folder, a name that two images share, or a name that is also the
        folder of another.
    """
    problems = []
    owners: dict[str, int] = {}
    folders: dict[str, int] = {}
    for image_id, name in names:
        problem = problem_with(name)
        if problem is not None:
            shown = ascii(name if len(name) <= 60 else name[:60] + "…")
            problems.append(f"{source}: image {image_id}: file_name {shown} {problem}; rename it in the annotations")
            continue
        if name in owners:
            problems.append(
                f"{source}: images {owners[name]} and {image_id} share the file_name {name!r}; give each its own"
            )
        owners.setdefault(name, image_id)
        for folder in PurePosixPath(name).parents:
            folders.setdefault(str(folder), image_id)
    problems += [
        f"{source}: image {owner}: file_name {name!r} is also a folder of image {folders[name]}; rename one"
        for name, owner in owners.items()
        if name in folders
    ]
    raise_problems(problems)
