"""The real workflow on the demo study, through a real Slurm, for an unprivileged user, as profiles/pace has it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import rehearsal
from checkpoint import write_checkpoint
from rehearsal import ACCOUNT, FAST, Accounted, accounted, queue, run, running, until

pytestmark = [
    pytest.mark.pace,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not rehearsal.on_cluster(), reason="no rehearsal cluster: `make rehearsal` starts one"),
]

#: embers may be preempted; what is charged and what is free differ in nothing else here.
QOS = "embers"
SNAKEMAKE = f"snakemake --profile profiles/pace --configfile tests/pace/study.yaml {FAST}"


@dataclass(frozen=True)
class Planned:
    """A job as the plan has it."""

    rule: str
    wildcards: str
    account: str
    qos: str
    partition: str
    gpus: int
    cpus: int
    mem_mb: int
    runtime: int


def planned(text: str) -> list[Planned]:
    """Read the jobs out of what `snakemake -n` prints; targets, which run nothing, are left out."""
    jobs = []
    for block in re.split(r"^(?:local)?rule (?=\w+:$)", text, flags=re.MULTILINE)[1:]:
        fields = dict(re.findall(r"^    (\w+): (.*)$", block, flags=re.MULTILINE))
        if "output" not in fields:
            continue
        resources = dict(item.split("=", 1) for item in fields["resources"].split(", ") if "=" in item)
        wildcards = [item.split("=", 1)[1] for item in fields.get("wildcards", "").split(", ") if item]
        gres = resources.get("gres", "gpu:0").split(":")
        jobs.append(
            Planned(
                rule=block.partition(":")[0],
                wildcards="_".join(wildcards),
                account=resources["slurm_account"],
                qos=resources["qos"],
                partition=resources["slurm_partition"],
                gpus=int(gres[-1]) + int(resources.get("gpu", 0)),
                cpus=int(fields.get("threads", 1)),
                mem_mb=int(resources["mem_mb"]),
                runtime=int(resources["runtime"]),
            )
        )
    return jobs


def as_planned(job: Accounted) -> Planned:
    return Planned(**{name: getattr(job, name) for name in Planned.__dataclass_fields__})


@dataclass(frozen=True)
class Story:
    folder: Path
    plan: list[Planned]
    left: int
    locked: str
    refused: str
    stopped: str
    queue_after_stop: int
    chunks: dict[Path, int]
    jobs: list[Accounted]
    second: str


@pytest.fixture(scope="module")
def story() -> Story:
    """One run, told once: a killed driver, the documented command, preempted predictions, the end."""
    folder = rehearsal.checkout("demo")
    write_checkpoint(folder)
    subprocess.run(["chown", "-R", f"{rehearsal.STUDENT}:", folder / "data"], check=True)
    dry = run(f"{SNAKEMAKE} -n", folder, PACE_QOS=QOS)
    assert dry.returncode == 0, dry.stdout + dry.stderr

    with running(SNAKEMAKE, folder, PACE_QOS=QOS) as driver:
        until(lambda: any(job.state == "RUNNING" for job in queue(folder)), 400, "a job runs", folder)
        driver.kill()
        driver.wait()
    # Else they might be done before anyone looks.
    subprocess.run(["scontrol", "suspend", ",".join(job.job for job in queue(folder))], check=False)
    left = len(queue(folder))
    locked = run(SNAKEMAKE, folder)
    run(f"{SNAKEMAKE} --unlock", folder)
    refused = run(f"{SNAKEMAKE} -n", folder)
    stopped = run("make pace-stop", folder)
    queue_after_stop = len(queue(folder))

    with running(SNAKEMAKE, folder, PACE_QOS=QOS) as driver:
        chunks = folder / "results/rehearsal/predictions/chunks/train/mceam"
        until(lambda: len(list(chunks.glob("*/*.parquet"))) >= 3, 500, "three chunks of predictions are there", folder)
        finished = {path: path.stat().st_mtime_ns for path in chunks.glob("*/*.parquet")}
        urgent = [
            "sbatch",
            "-A",
            ACCOUNT,
            "-q",
            "inferno",
            "-p",
            "gpu-rtx6000",
            "-N",
            "2",
            "--exclusive",
            "--gres=gpu:1",
        ]
        subprocess.run([*urgent, "-t", "2", "-o", "/dev/null", "--wrap", "sleep 3"], check=True, capture_output=True)
        assert driver.wait(900) == 0, (folder / "driver.log").read_text()[-4000:]
    second = run(f"{SNAKEMAKE} -n", folder, PACE_QOS=QOS)
    return Story(
        folder=folder,
        plan=planned(dry.stdout),
        left=left,
        locked=locked.stdout + locked.stderr,
        refused=refused.stdout + refused.stderr,
        stopped=stopped.stdout + stopped.stderr,
        queue_after_stop=queue_after_stop,
        chunks=finished,
        jobs=accounted(folder),
        second=second.stdout + second.stderr,
    )


def test_reports_are_made_and_nothing_is_left_to_do(story: Story) -> None:
    reports = sorted((story.folder / "results/rehearsal/evaluation").glob("*/*/report.html"))
    assert [path.parts[-3:-1] for path in reports] == [("test", "trained"), ("train", "mceam")]
    assert (story.folder / "results/rehearsal/provenance.json").is_file()
    assert "Nothing to be done" in story.second
    assert queue(story.folder) == []


def test_every_job_was_submitted_as_the_plan_said(story: Story) -> None:
    expected = {job for job in story.plan if job.partition != "login"}
    assert {as_planned(job) for job in story.jobs} == expected


def test_accounting_has_one_gpu_for_what_computes_on_one_and_none_elsewhere(story: Story) -> None:
    assert {job.account for job in story.jobs} == {ACCOUNT}
    assert {job.qos for job in story.jobs} == {QOS}
    on_gpu = {"predict_regions", "train_model"}
    assert on_gpu <= {job.rule for job in story.jobs}
    assert {(job.rule in on_gpu, job.partition, job.gpus) for job in story.jobs} == {
        (True, "gpu-rtx6000", 1),
        (False, "cpu-small", 0),
    }
    predictions = [job for job in story.jobs if job.rule == "predict_regions"]
    assert {(job.cpus, job.mem_mb, job.runtime) for job in predictions} == {(8, 64000, 240)}


def test_downloads_ran_on_the_login_node(story: Story) -> None:
    local = {job.rule for job in story.plan if job.partition == "login"}
    assert {"download_images", "fetch_annotations", "fetch_checkpoint", "read_annotations", "gather_images"} <= local
    assert local.isdisjoint(job.rule for job in story.jobs)
    assert len(list((story.folder / "results/rehearsal/images/shards").glob("*/*.csv"))) == 4


def test_a_killed_driver_is_cleaned_up_by_the_documented_command(story: Story) -> None:
    assert story.left > 0
    assert "cannot be locked" in story.locked
    assert re.search(r"Slurm still has \d+ jobs? of a run that was cut off", story.refused)
    assert "make pace-stop" in story.refused
    assert "folder unlocked" in story.stopped
    assert story.queue_after_stop == 0


def test_preempted_predictions_go_on_where_they_were(story: Story) -> None:
    predictions = [job for job in story.jobs if job.rule == "predict_regions"]
    preempted = {job.job for job in predictions if job.state == "PREEMPTED"}
    assert preempted
    assert preempted <= {job.job for job in predictions if job.state == "COMPLETED"}
    # What was there at that moment was not written again, but taken over.
    assert {path: path.stat().st_mtime_ns for path in story.chunks} == story.chunks
    logs = (story.folder / "results/rehearsal/logs/predict_regions").rglob("*.log")
    taken = [int(number) for log in logs for number in re.findall(r"(\d+) taken over", log.read_text())]
    assert sum(taken) > 0


def test_weights_were_staged_on_the_node(story: Story) -> None:
    logs = [log.read_text() for log in (story.folder / "results/rehearsal/logs/predict_regions").rglob("*.log")]
    # Who takes everything over needs no weights.
    computing = [text for text in logs if not re.search(r"^0 boxes computed", text, flags=re.MULTILINE)]
    assert computing
    for text in computing:
        assert re.search(r"copied [\d.]+ GB of weights to \S+/tmp/atl1-rtx-\d/slurmtmp\.\d+", text)


def test_programs_ran_in_their_own_environments(story: Story) -> None:
    made = {path.name for path in (story.folder / ".snakemake/conda").glob("*.yaml")}
    notes = [path.read_text() for path in (story.folder / ".snakemake/conda").glob("*/stand-in.txt")]
    assert len(made) == len(notes) == 3
    assert sum("torch 2.10.0: " in note for note in notes) == 1


def test_logs_and_the_efficiency_report_are_kept(story: Story) -> None:
    logs = story.folder / "results/logs/slurm"
    assert len(list(logs.glob("efficiency_report_fathomflow_*.csv"))) >= 1
    kept = {path.stem for path in logs.rglob("*.log")}
    assert {job.job for job in story.jobs if job.state == "COMPLETED"} <= kept


def test_the_cluster_check_tells_what_is_there_from_what_is_missing(story: Story) -> None:
    done = run("make pace-check", story.folder)
    lines = {line[2:].split("  ")[0]: line for line in done.stdout.splitlines() if line[:1] in "✓✗"}
    passed = {name for name, line in lines.items() if line.startswith("✓")}
    well = {"account", "QOS", "partition cpu-small", "partition gpu-rtx6000", "inference environment"}
    assert well | {"CPU job", "GPU job", "$TMPDIR on the node"} <= passed, done.stdout + done.stderr
    # This machine has no GPU, and the check says so.
    assert lines["GPU"].startswith("✗")
    assert "torch 2.13.0+cpu, CUDA None, cannot use it" in lines["torch on the GPU"]
    assert done.returncode != 0

    wrong = run("make pace-check", story.folder, PACE_ACCOUNT="somebody-else", PACE_QOS="free")
    assert "✗ account" in wrong.stdout
    assert f"export PACE_ACCOUNT=<one of yours: {ACCOUNT}>" in wrong.stdout
