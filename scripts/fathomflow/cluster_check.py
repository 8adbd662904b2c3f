"""Whether a cluster has what the profile asks for: one check, one line, with what to do."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Check:
    """One line of the table: what was looked at, whether it is well, what was found, what to do if it is not."""

    name: str
    passed: bool
    found: str
    remedy: str = ""


def table(checks: Sequence[Check]) -> str:
    """Write the checks as lines with ✓ or ✗; below each ✗ what to do."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{'✓' if check.passed else '✗'} {check.name:<{width}}  {check.found}")
        if not check.passed and check.remedy:
            lines.append(f"  {'':<{width}}  → {check.remedy}")
    return "\n".join(lines)


def association_checks(sacctmgr: str, account: str, qos: str) -> list[Check]:
    """Check account and QOS against this user's associations.

    Parameters
    ----------
    sacctmgr
        Lines ``<account>|<QOS, comma-separated>``.
    account, qos
        What the profile submits with.
    """
    allowed = dict(line.split("|")[:2] for line in sacctmgr.splitlines() if "|" in line)
    yours = ", ".join(sorted(allowed)) or "none"
    if account not in allowed:
        remedy = f"export PACE_ACCOUNT=<one of yours: {yours}>"
        return [Check("account", False, f"{account or 'not set'}: not one of yours", remedy)]
    named = [name for name in allowed[account].split(",") if name]
    return [
        Check("account", True, account),
        Check(
            "QOS",
            qos in named,
            qos if qos in named else f"{qos}: not allowed for {account}",
            f"export PACE_QOS=<one of {', '.join(named)}>",
        ),
    ]


def partition_check(name: str, scontrol: str) -> Check:
    """Check a partition against what ``scontrol show partition`` says of it (nothing, if it does not exist)."""
    fields = dict(item.split("=", 1) for item in scontrol.split() if "=" in item)
    state = fields.get("State", "unknown to Slurm")
    found = f"{state}, at most {fields['MaxTime']}, {fields.get('TotalNodes', '?')} nodes" if fields else state
    remedy = "`sinfo -s` lists the partitions; set slurm_partition in profiles/pace/config.yaml"
    return Check(f"partition {name}", state == "UP", found, remedy)


def storage_check(folder: Path, needed_gb: float) -> Check:
    """Check that a folder can be written to and has room."""
    name = f"storage {folder}"
    probe = folder / f".probe-{secrets.token_hex(4)}"
    try:
        probe.write_bytes(b"fathomflow")
        probe.unlink()
        free = shutil.disk_usage(folder).free / 1e9
    except OSError as error:
        return Check(
            name, False, str(error.strerror), "work in a folder of the project's storage that you may write to"
        )
    remedy = "`pace-quota` says what is used; work in the project's storage, not in home"
    return Check(name, free >= needed_gb, f"writable, {free:.0f} GB free (wants {needed_gb:.0f})", remedy)


def reach_checks(where: str, hosts: Mapping[str, str], purposes: Mapping[str, str], remedy: str) -> list[Check]:
    """Check which hosts a node reaches: `hosts` maps addresses to what went wrong, `purposes` to what they are for."""
    return [
        Check(f"{purposes[url]} from {where}", not trouble, trouble or f"{url} answers", remedy)
        for url, trouble in hosts.items()
    ]


def gpu_checks(node: Mapping[str, Any]) -> list[Check]:
    """Check what a GPU node says of itself (see scripts/probe_node.py)."""
    torch = node["torch"]
    build = f"torch {torch['version']}, CUDA {torch['cuda']}" if torch else "no torch"
    return [
        Check(
            "GPU",
            bool(node["gpu"]),
            node["gpu"] or f"none on {node['node']}",
            "check gres in profiles/pace/config.yaml",
        ),
        Check(
            "torch on the GPU",
            bool(torch.get("available")),
            f"{build}, {'computes on it' if torch.get('available') else 'cannot use it'}",
            "a driver older than the build's CUDA, or no environment: see profiles/pace/README.md",
        ),
        Check(
            "$TMPDIR on the node",
            bool(node["tmpdir"]) and node["tmpdir_free_gb"] is not None,
            f"{node['tmpdir'] or 'not set'}, {node['tmpdir_free_gb']} GB free",
            "remove `stage` from profiles/pace/config.yaml",
        ),
    ]


def run_on_node(options: Sequence[str], command: str, wait_s: float) -> dict[str, Any] | str:
    """Submit a job of one minute that prints JSON, and wait for it.

    Returns
    -------
    dict or str
        What it printed, or why there is nothing.
    """
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".pace-check-") as folder:
        output = Path(folder, "output")
        submit = ["sbatch", "--parsable", "--time=1", f"--output={output}", "--job-name=pace-check", *options]
        done = subprocess.run([*submit, "--wrap", command], capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stderr.strip()
        job = done.stdout.strip().split(";")[0]
        end = time.monotonic() + wait_s
        while (state := _state(job)) in {"PENDING", "RUNNING", "CONFIGURING", "COMPLETING"}:
            if time.monotonic() > end:
                subprocess.run(["scancel", job], check=False)
                return f"job {job} was still {state.lower()} after {wait_s:.0f} s and is cancelled: try again later"
            time.sleep(2)
        text = output.read_text(encoding="utf-8") if output.is_file() else ""
        for line in text.splitlines():
            if line.startswith("{"):
                document: dict[str, Any] = json.loads(line)
                return document
        return f"job {job} ended as {state or 'unknown'}: {' '.join(text.split())[-300:]}"


def ask(*command: str) -> str:
    """Return what a command prints, or nothing if it fails or does not exist."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def user() -> str:
    """Return this user's name."""
    return os.environ.get("USER") or ask("id", "-un").strip()


def _state(job: str) -> str:
    return ask("squeue", "--noheader", "--states=all", "--format=%T", "--jobs", job).strip()
