"""Where a study's database is; known without FiftyOne, which takes seconds to import."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

#: Seconds that a job waits for its turn on an embedded database.
WAIT_S = 4 * 3600.0


@dataclass(frozen=True)
class Place:
    """Where the database is: the folder of the embedded one, and the address of a server that replaces it."""

    folder: Path
    uri: str | None = None


def find_place(folder: Path, uri: str | None) -> Place:
    """Return where the database is; the environment, or a file ``.env``, goes before the configuration.

    FIFTYONE_DATABASE_URI names a server; it may hold a password, which is why it has no place in a configuration.
    """
    read_dotenv(Path(".env"))
    return Place(folder.resolve(), os.environ.get("FIFTYONE_DATABASE_URI") or uri)


def read_dotenv(path: Path) -> None:
    """Take FiftyOne's variables from a file of ``NAME=value`` lines, unless the environment has them."""
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            match = re.fullmatch(r"\s*(?:export\s+)?(FIFTYONE_[A-Z_]+)\s*=\s*(['\"]?)(.*?)\2\s*", line)
            if match:
                os.environ.setdefault(match[1], match[3])


def hide_credentials(uri: str) -> str:
    """Return the hosts of a database's address: what may be shown."""
    return urlsplit(uri).netloc.rpartition("@")[2] or "the server"
