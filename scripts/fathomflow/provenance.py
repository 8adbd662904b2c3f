"""What results were made from."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from fathomflow.files import sha256_of

#: Libraries whose version can change a result.
LIBRARIES = (
    "numpy",
    "pandas",
    "pillow",
    "pyarrow",
    "safetensors",
    "scikit-learn",
    "snakemake",
    "torch",
    "transformers",
)


def describe(configuration: Mapping[str, Any], files: Iterable[Path]) -> dict[str, Any]:
    """Return the record: revision, whether tracked files differ from it, configuration, versions, SHA-256 by path.

    Paths are kept as given, so that runs in different places give the same record. The revision is null outside a
    git checkout.
    """
    return {
        "revision": _git("rev-parse", "HEAD"),
        "modified": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "configuration": configuration,
        "versions": {"python": platform.python_version(), **_versions()},
        "files": {str(path): sha256_of(path) for path in sorted(files)},
    }


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _versions() -> dict[str, str]:
    installed = {}
    for name in LIBRARIES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed
