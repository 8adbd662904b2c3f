"""Try what profiles/pace asks of the cluster, in about two minutes, and say what to do about what is missing."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yte

from fathomflow.cluster_check import (
    Check,
    ask,
    association_checks,
    gpu_checks,
    partition_check,
    reach_checks,
    run_on_node,
    storage_check,
    table,
    user,
)
from fathomflow.errors import InputError
from fathomflow.program import run

#: What the study fetches from where.
PURPOSES = {
    "https://raw.githubusercontent.com": "annotations",
    "https://database.fathomnet.org": "images",
    "https://drive.google.com": "checkpoint",
    "https://huggingface.co": "hub",
}


def read_profile(path: Path) -> dict[str, Any]:
    """Read the profile as Snakemake does, with this environment's PACE_* in it."""
    with path.open(encoding="utf-8") as handle:
        profile: dict[str, Any] = yte.process_yaml(handle, require_use_yte=True)
    return profile


def inference_python(profile: Path) -> str:
    """Return the Python of the inference environment, or an empty text where it is not made yet."""
    for line in ask("snakemake", "--profile", str(profile.parent), "--list-conda-envs").splitlines():
        if match := re.match(r"\S*envs/inference\.yaml\s+(\S+)\s*$", line):
            python = Path(match[1], "bin", "python")
            if python.is_file():
                return str(python.absolute())
    return ""


def main(arguments: argparse.Namespace) -> str:
    profile = read_profile(arguments.profile)
    common, rule = profile["default-resources"], profile["set-resources"]["predict_regions"]
    account, qos = common["slurm_account"], common["qos"]
    associations = ask("sacctmgr", "-nP", "show", "assoc", f"user={user()}", "format=account,qos")
    checks = association_checks(associations, account, qos)
    for name in (common["slurm_partition"], rule["slurm_partition"]):
        checks.append(partition_check(name, ask("scontrol", "show", "partition", name)))
    checks.append(storage_check(Path.cwd(), arguments.needed_gb))

    python = inference_python(arguments.profile)
    make = f"snakemake --profile {arguments.profile.parent} --conda-create-envs-only"
    checks.append(Check("inference environment", bool(python), python or "not made yet", make))
    probe = [str(Path(__file__).with_name("probe_node.py")), *PURPOSES]
    charged = [f"--account={account}", f"--qos={qos}"]
    cpu = [*charged, f"--partition={common['slurm_partition']}", "--mem=1G"]
    gpu = [*charged, f"--partition={rule['slurm_partition']}", f"--gres={rule['gres']}", "--mem=8G"]
    with ThreadPoolExecutor() as pool:
        on_cpu = pool.submit(run_on_node, cpu, shlex.join([sys.executable, *probe]), arguments.wait)
        on_gpu = pool.submit(run_on_node, gpu, shlex.join([python or sys.executable, *probe[:1]]), arguments.wait)
        here = run_here(probe)
    checks += reach_checks("this node", here["hosts"], PURPOSES, "PACE_DOWNLOADS=cpu-small fetches images in jobs")
    for name, job in (("CPU job", on_cpu), ("GPU job", on_gpu)):
        answer = job.result()
        if isinstance(answer, str):
            checks.append(Check(name, False, answer, "the lines above may say why; else ask PACE's support"))
        elif name == "CPU job":
            checks.append(Check(name, True, f"ran on {answer['node']}"))
            checks += reach_checks("a compute node", answer["hosts"], PURPOSES, "leave PACE_DOWNLOADS=login")
        else:
            checks += [Check(name, True, f"ran on {answer['node']}"), *gpu_checks(answer)]
    print(table(checks))
    failed = sum(not check.passed for check in checks)
    if failed:
        raise InputError(f"profiles/pace: {failed} of {len(checks)} checks failed: see the arrows")
    return f"{len(checks)} checks passed"


def run_here(probe: list[str]) -> dict[str, Any]:
    done = subprocess.run([sys.executable, *probe], capture_output=True, text=True, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--profile", type=Path, default=Path("profiles/pace/config.yaml"), help="the profile")
    result.add_argument("--needed-gb", type=float, default=80, help="room that the study wants, in GB [80]")
    result.add_argument("--wait", type=float, default=100, help="seconds to wait for each job [100]")
    return result


if __name__ == "__main__":
    run(main, parser())
