"""What goes wrong on a cluster, done to jobs under profiles/pace on a real Slurm: each must end well by itself."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import rehearsal
from rehearsal import ACCOUNT, FAST, Accounted, accounted, queue, running, until

pytestmark = [
    pytest.mark.pace,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not rehearsal.on_cluster(), reason="no rehearsal cluster: `make rehearsal` starts one"),
]

SNAKEMAKE = f"snakemake --profile profiles/pace --snakefile tests/pace/faults/Snakefile {FAST}"
CLUSTER = rehearsal.ROOT / "tests" / "pace" / "cluster"


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Path:
    folder = rehearsal.checkout(request.node.name)
    (folder / "tried").mkdir()
    shutil.chown(folder / "tried", rehearsal.STUDENT, rehearsal.STUDENT)
    return folder


def running_job(folder: Path, rule: str) -> str | None:
    return next((job.job for job in queue(folder) if job.rule == rule and job.state == "RUNNING"), None)


def begun(folder: Path, rule: str) -> str:
    """Wait until the first attempt of a rule is at work, and return its job."""
    until((folder / "tried" / rule).exists, 120, f"{rule} runs", folder)
    job = running_job(folder, rule)
    assert job
    return job


def test_every_fault_ends_well(folder: Path) -> None:
    with running(SNAKEMAKE, folder) as driver:
        subprocess.run(["scancel", begun(folder, "cancelled")], check=True)

        lost = begun(folder, "node_failure")
        subprocess.run([CLUSTER, "node", "stop", "atl1-a100-1"], check=True)

        preempted = begun(folder, "preempted")
        urgent = [
            "sbatch",
            "-A",
            ACCOUNT,
            "-q",
            "inferno",
            "-p",
            "gpu-h100",
            "--gres=gpu:1",
            "-t",
            "2",
            "-o",
            "/dev/null",
        ]
        subprocess.run([*urgent, "--wrap", "sleep 5"], check=True, capture_output=True)

        until(lambda: not running_job(folder, "node_failure"), 90, "the controller gives the node up", folder)
        subprocess.run([CLUSTER, "node", "start", "atl1-a100-1"], check=True)
        assert driver.wait(360) == 0, (folder / "driver.log").read_text()[-4000:]

    jobs: dict[str, list[Accounted]] = {}
    for job in accounted(folder):
        jobs.setdefault(job.rule, []).append(job)
    assert [job.state for job in jobs["predict_regions"]] == ["FAILED", "COMPLETED"]
    assert [job.mem_mb for job in jobs["predict_regions"]] == [64000, 128000]
    assert jobs["out_of_memory"][0].state in {"OUT_OF_MEMORY", "FAILED"}
    assert [job.mem_mb for job in jobs["out_of_memory"]] == [500, 1000]
    assert [job.state for job in jobs["time_limit"]] == ["TIMEOUT", "COMPLETED"]
    assert [job.runtime for job in jobs["time_limit"]] == [1, 2]
    assert [job.state for job in jobs["cancelled"]] == ["CANCELLED", "COMPLETED"]
    # The same job twice: Slurm itself put it back into the queue.
    assert [(job.job, job.state) for job in jobs["node_failure"]] == [(lost, "NODE_FAIL"), (lost, "COMPLETED")]
    assert [(job.job, job.state) for job in jobs["preempted"]] == [(preempted, "PREEMPTED"), (preempted, "COMPLETED")]
    assert queue(folder) == []
    # One GPU was asked for, and the program in the job saw one; the node's own disk is there, too.
    gpus, scratch = (folder / "done" / "fails_once").read_text().split()
    assert gpus in set("0123")
    assert scratch.startswith(f"{rehearsal.LAB}/tmp/atl1-rtx-")  # noqa: S108


def test_an_interrupt_leaves_no_job_behind(folder: Path) -> None:
    with running(f"{SNAKEMAKE} done/cancelled done/time_limit", folder) as driver:
        begun(folder, "cancelled")
        begun(folder, "time_limit")
        driver.send_signal(signal.SIGINT)
        assert driver.wait(60) != 0
    until(lambda: not queue(folder), 20, "the queue is empty", folder)
    # And the next run takes up where this one was.
    with running(f"{SNAKEMAKE} done/cancelled done/time_limit", folder) as driver:
        assert driver.wait(120) == 0, (folder / "driver.log").read_text()[-4000:]
