"""What a cluster would refuse, or silently do otherwise than meant, found before anything is submitted."""

from __future__ import annotations

import difflib
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fathomflow.errors import InputError

#: The partition name that means "no job at all: here, on the login node".
LOGIN = "login"

#: What the names of this workflow's Slurm jobs begin with (slurm-jobname-prefix in profiles/pace).
JOB_PREFIX = "fathomflow_"


@dataclass(frozen=True)
class Limits:
    """What a partition or a QOS allows one job on one node; None where that is not known.

    Attributes
    ----------
    runtime
        Minutes.
    cpus, mem_mb, gpus
        Per node; `gpus` is 0 for a partition without GPUs.
    gpu
        Which GPU, for people.
    """

    runtime: int | None = None
    cpus: int | None = None
    mem_mb: int | None = None
    gpus: int | None = None
    gpu: str | None = None


@dataclass(frozen=True)
class Cluster:
    """The partitions and QOS of a cluster by name, and the file that lists them."""

    source: str
    partitions: Mapping[str, Limits] = field(default_factory=dict)
    qos: Mapping[str, Limits] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What one rule asks of the cluster at one attempt, the profile applied.

    Attributes
    ----------
    rule, attempt
        Whose request it is; attempts count from 1.
    local
        It runs on the login node and is never submitted.
    on_gpu
        The rule file says that the rule computes on a GPU.
    partition, account, qos
        None where nothing is set.
    cpus, mem_mb, runtime, gpus
        Runtime in minutes; None where the value depends on input that does not exist yet.
    """

    rule: str
    attempt: int = 1
    local: bool = False
    on_gpu: bool = False
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    cpus: int | None = None
    mem_mb: int | None = None
    runtime: int | None = None
    gpus: int | None = None


def read_cluster(source: str, document: Mapping[str, Any]) -> Cluster:
    """Build a Cluster from the parsed limits file; an unknown key is an InputError."""
    kinds: dict[str, dict[str, Limits]] = {}
    for kind in ("partitions", "qos"):
        kinds[kind] = {}
        for name, values in (document.get(kind) or {}).items():
            unknown = set(values or {}) - set(Limits.__dataclass_fields__)
            if unknown:
                raise InputError(f"{source}: {kind}: {name}: unknown key {', '.join(sorted(unknown))}")
            kinds[kind][name] = Limits(**(values or {}))
    return Cluster(source, kinds["partitions"], kinds["qos"])


def gpus_asked(resources: Mapping[str, Any]) -> int | None:
    """Return how many GPUs a job's resources ask for, by ``gpu`` or by ``gres``; None if that is not known yet."""
    if resources.get("gpu", 0) is None:
        return None
    asked = int(resources.get("gpu", 0))
    for item in str(resources.get("gres") or "").split(","):
        parts = item.split(":")
        if parts[0] == "gpu":
            asked += int(parts[-1]) if parts[-1].isdigit() else 1
    return asked


def misspelt_rules(named: Mapping[str, Iterable[str]], known: Iterable[str]) -> list[str]:
    """Say which rules the profile names that the workflow does not have: Snakemake would ignore them silently.

    Parameters
    ----------
    named
        For each section of the profile (``set-resources``, …) the rules it names.
    known
        Every rule of the workflow.
    """
    rules = sorted(known)
    return [
        f"profile: {section}: there is no rule {name}{_nearest(name, rules)}"
        for section, names in named.items()
        for name in sorted(set(names) - set(rules))
    ]


def refused(requests: Iterable[Request], cluster: Cluster) -> list[str]:
    """Say what is wrong with the requests, one line for each cause, rules with the same trouble joined."""
    causes: dict[str, list[str]] = {}
    for request in requests:
        for cause in [] if request.local and not request.on_gpu else _causes(request, cluster):
            rules = causes.setdefault(cause, [])
            if request.rule not in rules:
                rules.append(request.rule)
    return [f"{', '.join(rules)}: {cause}" for cause, rules in causes.items()]


def jobs_left_behind(squeue: str, folder: str, prefix: str) -> list[str]:
    """List the jobs of an earlier run of this folder that are still queued or running.

    Parameters
    ----------
    squeue
        Lines ``<job id>|<name>|<working directory>``.
    folder
        The working directory of the workflow.
    prefix
        What the names of the workflow's jobs begin with.
    """
    rows = [line.split("|", 2) for line in squeue.splitlines() if line.count("|") >= 2]
    return [job for job, name, where in rows if name.startswith(prefix) and where == folder]


def queued_jobs() -> str:
    """Ask Slurm for this user's jobs, as `jobs_left_behind` reads them; empty where there is no Slurm."""
    command = ["squeue", "--me", "--noheader", "--format=%i|%j|%Z"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    except (FileNotFoundError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return ""


def locked(folder: Path) -> bool:
    """Say whether a run of this folder is going on, or was killed before it could unlock the folder."""
    return any((folder / ".snakemake" / "locks").glob("*.lock"))


def _causes(request: Request, cluster: Cluster) -> list[str]:
    if request.local:
        return ["computes on a GPU, but the profile runs it on the login node: give it a GPU partition"]
    if not request.account:
        return [
            "no account: export PACE_ACCOUNT=<account> (`pace-quota` lists yours), or set slurm_account in the profile"
        ]
    if not request.partition:
        return ["no partition: set slurm_partition in the profile"]
    partition = cluster.partitions.get(request.partition)
    if partition is None:
        return [
            f"unknown partition {request.partition}{_nearest(request.partition, [*cluster.partitions, LOGIN])}; "
            f"new ones are added in {cluster.source}"
        ]
    qos = Limits()
    if request.qos and cluster.qos:
        if request.qos not in cluster.qos:
            return [f"unknown QOS {request.qos}{_nearest(request.qos, list(cluster.qos))}: see PACE_QOS"]
        qos = cluster.qos[request.qos]
    return [
        *_gpu_causes(request, partition),
        *_limit_causes(request, partition, f"partition {request.partition}"),
        *_limit_causes(request, qos, f"QOS {request.qos}"),
    ]


def _gpu_causes(request: Request, partition: Limits) -> list[str]:
    where = f"partition {request.partition}"
    if request.gpus is None:
        return []
    if request.on_gpu and partition.gpus == 0:
        return [f"computes on a GPU, but {where} has none: set its slurm_partition in the profile's set-resources"]
    if request.on_gpu and not request.gpus:
        return ["computes on a GPU, but asks for none: set gres: gpu:1 in the profile's set-resources"]
    if request.gpus and partition.gpus == 0:
        return [f"asks for a GPU, but {where} has none"]
    if not request.gpus and partition.gpus != 0:
        return [f"asks for no GPU, but {where} is for GPU jobs"]
    return []


def _limit_causes(request: Request, limits: Limits, where: str) -> list[str]:
    attempt = f" at attempt {request.attempt}" if request.attempt > 1 else ""
    checks = [
        (request.runtime, limits.runtime, "minutes"),
        (request.cpus, limits.cpus, "CPUs"),
        (request.mem_mb, limits.mem_mb, "MB of memory"),
        (request.gpus, limits.gpus, "GPUs"),
    ]
    return [
        f"asks for {asked} {unit}{attempt}, but {where} allows {allowed}"
        for asked, allowed, unit in checks
        if asked is not None and allowed is not None and asked > allowed and (unit != "GPUs" or allowed)
    ]


def _nearest(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
