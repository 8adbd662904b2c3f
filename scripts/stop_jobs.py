"""Cancel the Slurm jobs that a run of this folder left behind when its driver was killed, and unlock the folder."""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import time
from pathlib import Path

from fathomflow.errors import InputError
from fathomflow.preflight import JOB_PREFIX, jobs_left_behind, queued_jobs
from fathomflow.program import run


def main(arguments: argparse.Namespace) -> str:
    folder = str(Path.cwd())
    jobs = jobs_left_behind(queued_jobs(), folder, JOB_PREFIX)
    if jobs:
        logging.info("cancelling %s", " ".join(jobs))
        subprocess.run(["scancel", *jobs], check=True)
    end = time.monotonic() + arguments.wait
    while left := jobs_left_behind(queued_jobs(), folder, JOB_PREFIX):
        if time.monotonic() > end:
            raise InputError(f"Slurm: {' '.join(left)} still there after {arguments.wait:.0f} s: try again in a minute")
        time.sleep(1)
    command = ["snakemake", "--profile", str(arguments.profile), "--unlock", *arguments.snakemake]
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        raise InputError("snakemake --unlock failed: see above")
    return f"{len(jobs)} jobs cancelled, folder unlocked"


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--profile", type=Path, default=Path("profiles/pace"), help="the profile [profiles/pace]")
    result.add_argument("--wait", type=float, default=120, help="seconds to wait for the jobs' end [120]")
    result.add_argument("snakemake", nargs="*", help="more options for snakemake, after --")
    return result


if __name__ == "__main__":
    run(main, parser())
