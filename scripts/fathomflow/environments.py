"""Conda environments from one source of pins: envs/packages.toml says what, requirements and constraints say which."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fathomflow.errors import InputError

#: The Python of every environment, whose wheels for Linux on x86-64 are pinned.
PYTHON = "3.11"
#: The cluster's nodes load wheels built for this C library or an older one (Red Hat 8's).
GLIBC = (2, 28)


@dataclass(frozen=True)
class Environment:
    """One section of packages.toml.

    Attributes
    ----------
    name, purpose
        File name without its suffix, and what opens the file as a comment.
    packages
        What the rules import, without versions.
    conda
        What conda brings beside python and pip.
    pins
        Versions that differ from requirements.txt.
    """

    name: str
    purpose: str
    packages: tuple[str, ...]
    conda: tuple[str, ...] = ()
    pins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Package:
    """One pinned package: its version and the SHA-256 of the only file that may be installed for it."""

    name: str
    version: str
    sha256: str


def canonical(name: str) -> str:
    """Return a package's name as indexes compare it: lower case, one hyphen for each run of ``-_.``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_environments(path: Path) -> list[Environment]:
    """Read packages.toml; an unknown key or a missing one is an InputError."""
    environments = []
    for name, section in tomllib.loads(path.read_text(encoding="utf-8")).items():
        unknown = section.keys() - {"purpose", "packages", "conda", "pins"}
        if unknown or not {"purpose", "packages"} <= section.keys():
            raise InputError(
                f"{path}: {name}: needs purpose and packages, may have conda and pins; found {set(section)}"
            )
        environments.append(
            Environment(
                name=name,
                purpose=section["purpose"],
                packages=tuple(section["packages"]),
                conda=tuple(section.get("conda", ())),
                pins=dict(section.get("pins", {})),
            )
        )
    return environments


def read_pins(paths: Iterable[Path]) -> dict[str, str]:
    """Read ``name==version`` lines; the first file that names a package wins.

    Returns
    -------
    dict
        Canonical name to version.
    """
    pins: dict[str, str] = {}
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            if match := re.match(r"([\w.-]+)(?:\[[^]]*\])?==([\w.!+-]+)", line):
                pins.setdefault(canonical(match[1]), match[2])
    return pins


def requirement_lines(environment: Environment, pins: Mapping[str, str]) -> list[str]:
    """Give an environment's packages their versions; one without a pin anywhere is an InputError."""
    own = {canonical(name): version for name, version in environment.pins.items()}
    missing = [name for name in environment.packages if canonical(name) not in {*own, *pins}]
    if missing:
        raise InputError(
            *(f"envs/packages.toml: {environment.name}: {name} has no version in requirements.txt" for name in missing)
        )
    return [f"{name}=={own.get(canonical(name)) or pins[canonical(name)]}" for name in environment.packages]


def constraint_lines(environment: Environment, pins: Mapping[str, str]) -> list[str]:
    """Pin what the environment's packages bring along, except where its own pins differ from the common ones."""
    own = {canonical(name) for name in environment.pins}
    return [f"{name}=={version}" for name, version in sorted(pins.items()) if name not in own]


def resolved_packages(report: Mapping[str, Any]) -> list[Package]:
    """Read what pip would install out of its installation report.

    Parameters
    ----------
    report
        The document that ``pip install --report`` writes.

    Returns
    -------
    list of Package
        Sorted by name.
    """
    packages = [
        Package(
            name=canonical(item["metadata"]["name"]),
            version=item["metadata"]["version"],
            sha256=item["download_info"]["archive_info"]["hashes"]["sha256"],
        )
        for item in report["install"]
    ]
    return sorted(packages, key=lambda package: package.name)


def too_new(report: Mapping[str, Any]) -> list[str]:
    """List the packages (``name==version``) whose wheel wants a newer C library than `GLIBC`."""
    return [
        f"{item['metadata']['name']}=={item['metadata']['version']}"
        for item in report["install"]
        if _glibc(item["download_info"]["url"]) > GLIBC
    ]


def render_environment(environment: Environment, packages: Iterable[Package]) -> str:
    """Write the YAML of a conda environment: python and pip from conda, everything else pinned by hash from pip."""
    direct = {canonical(name) for name in environment.packages}
    resolved = list(packages)
    lines = [
        f"# {environment.purpose}",
        "# Written by `make envs` from envs/packages.toml, requirements.txt and constraints.txt: change those.",
        "channels: [conda-forge, nodefaults]",
        "dependencies:",
        f"  - python={PYTHON}",
        "  - pip",
        *(f'  - "{item}"' for item in environment.conda),
        "  - pip:",
        *(_line(package) for package in resolved if package.name in direct),
        "      # What these bring along.",
        *(_line(package) for package in resolved if package.name not in direct),
    ]
    return "\n".join(lines) + "\n"


def _line(package: Package) -> str:
    return f"      - {package.name}=={package.version} --hash=sha256:{package.sha256}"


def _glibc(url: str) -> tuple[int, int]:
    """Return the oldest C library that a wheel's name promises to run with."""
    found = [(int(major), int(minor)) for major, minor in re.findall(r"manylinux_(\d+)_(\d+)_x86_64", url)]
    return min(found, default=(0, 0))
