"""Write envs/<name>.yaml from envs/packages.toml and the pins in requirements.txt and constraints.txt."""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from fathomflow.environments import (
    GLIBC,
    PYTHON,
    Environment,
    Package,
    constraint_lines,
    read_environments,
    read_pins,
    render_environment,
    requirement_lines,
    resolved_packages,
    too_new,
)
from fathomflow.errors import InputError
from fathomflow.files import write_text
from fathomflow.program import run

#: Tags of wheels for the cluster's C library and older ones.
PLATFORMS = [f"manylinux_{GLIBC[0]}_{minor}_x86_64" for minor in range(GLIBC[1], 4, -1)]


def pip_report(requirements: list[str], constraints: list[str], *options: str) -> dict[str, Any]:
    """Ask pip what it would install, and from where."""
    with tempfile.TemporaryDirectory() as folder:
        wanted, limits, report = (Path(folder, name) for name in ("requirements", "constraints", "report"))
        wanted.write_text("\n".join(requirements), encoding="utf-8")
        limits.write_text("\n".join(constraints), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", *options]
        command += ["--requirement", str(wanted), "--constraint", str(limits), "--report", str(report)]
        # Files that lie on this machine must not find their way into the pins.
        alone = {"PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": "", "PIP_CONFIG_FILE": os.devnull}
        done = subprocess.run(command, env={**os.environ, **alone}, capture_output=True, text=True, check=False)
        if done.returncode:
            raise InputError(f"pip cannot resolve {' '.join(requirements)}: {' '.join(done.stderr.split())}")
        document: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        return document


def resolve(environment: Environment, pins: dict[str, str]) -> list[Package]:
    """Pin everything that an environment holds, by wheels that its nodes can load."""
    report = pip_report(requirement_lines(environment, pins), constraint_lines(environment, pins))
    packages = {package.name: package for package in resolved_packages(report)}
    if newer := too_new(report):
        tags = [word for tag in PLATFORMS for word in ("--platform", tag)]
        older = pip_report(newer, [], "--no-deps", "--only-binary", ":all:", "--python-version", PYTHON, *tags)
        packages.update({package.name: package for package in resolved_packages(older)})
    return [packages[name] for name in sorted(packages)]


def main(arguments: argparse.Namespace) -> str:
    here = f"{sys.version_info.major}.{sys.version_info.minor} on {sys.platform} {platform.machine()}"
    if here != f"{PYTHON} on linux x86_64":
        raise InputError(
            f"python: pip resolves for the machine it runs on: Python {PYTHON} on linux x86_64, not {here}"
        )
    pins = read_pins([arguments.requirements, arguments.constraints])
    environments = read_environments(arguments.packages)
    for environment in environments:
        packages = resolve(environment, pins)
        write_text(arguments.output / f"{environment.name}.yaml", render_environment(environment, packages))
        logging.info("%s: %d packages", environment.name, len(packages))
    return f"{len(environments)} environments"


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--packages", type=Path, default=Path("envs/packages.toml"), help="what each environment holds")
    result.add_argument("--requirements", type=Path, default=Path("requirements.txt"), help="pins of what we name")
    result.add_argument(
        "--constraints", type=Path, default=Path("constraints.txt"), help="pins of what that brings along"
    )
    result.add_argument("--output", type=Path, default=Path("envs"), help="folder to write to [envs]")
    return result


if __name__ == "__main__":
    run(main, parser())
