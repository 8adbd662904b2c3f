from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fathomflow.errors import InputError
from fathomflow.preflight import (
    Cluster,
    Limits,
    Request,
    gpus_asked,
    jobs_left_behind,
    locked,
    misspelt_rules,
    read_cluster,
    refused,
)

ROOT = Path(__file__).parents[1]
CLUSTER = Cluster(
    "limits.yaml",
    partitions={
        "cpu": Limits(runtime=1000, cpus=24, mem_mb=190_000, gpus=0),
        "gpu": Limits(runtime=600, cpus=24, mem_mb=380_000, gpus=4),
        "new": Limits(),
    },
    qos={"paid": Limits(), "free": Limits(runtime=480)},
)


def request(**changes: object) -> Request:
    values = {"rule": "tables", "partition": "cpu", "account": "a", "qos": "paid", "cpus": 1, "gpus": 0, **changes}
    return Request(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"account": ""}, "no account: export PACE_ACCOUNT"),
        ({"partition": None}, "no partition"),
        ({"partition": "cpuu"}, r"unknown partition cpuu \(did you mean cpu\?\); new ones are added in limits.yaml"),
        ({"qos": "fre"}, r"unknown QOS fre \(did you mean free\?\)"),
        ({"on_gpu": True}, "computes on a GPU, but partition cpu has none"),
        ({"on_gpu": True, "partition": "gpu"}, "computes on a GPU, but asks for none"),
        ({"on_gpu": True, "local": True}, "computes on a GPU, but the profile runs it on the login node"),
        ({"gpus": 1}, "asks for a GPU, but partition cpu has none"),
        ({"partition": "gpu"}, "asks for no GPU, but partition gpu is for GPU jobs"),
        ({"partition": "gpu", "gpus": 5}, "asks for 5 GPUs, but partition gpu allows 4"),
        ({"mem_mb": 190_001}, "asks for 190001 MB of memory, but partition cpu allows 190000"),
        ({"mem_mb": 200_000, "attempt": 2}, "asks for 200000 MB of memory at attempt 2, but"),
        ({"cpus": 25}, "asks for 25 CPUs, but"),
        ({"runtime": 481, "qos": "free"}, "asks for 481 minutes, but QOS free allows 480"),
    ],
)
def test_refusals(changes: dict[str, object], line: str) -> None:
    (problem,) = refused([request(**changes)], CLUSTER)
    assert re.match(f"tables: {line}", problem)


def test_what_is_well_or_not_known_is_let_through() -> None:
    fine = [
        request(),
        request(runtime=1000, cpus=24, mem_mb=190_000),
        request(partition="gpu", on_gpu=True, gpus=4),
        request(partition="gpu", on_gpu=True, gpus=None),
        request(partition="new", on_gpu=True, gpus=1, mem_mb=10**7, runtime=10**6),
        request(local=True, account=None, partition="login"),
        request(mem_mb=None, runtime=None),
    ]
    assert refused(fine, CLUSTER) == []


def test_one_line_for_each_cause() -> None:
    requests = [request(rule=rule, account=None, attempt=attempt) for rule in ("b", "a") for attempt in (1, 2)]
    (problem,) = refused(requests, CLUSTER)
    assert problem.startswith("b, a: no account")


@pytest.mark.parametrize(
    ("resources", "gpus"),
    [
        ({}, 0),
        ({"gpu": 2}, 2),
        ({"gpu": None}, None),
        ({"gpu": 0, "gres": "gpu:1"}, 1),
        ({"gres": "gpu:V100:2"}, 2),
        ({"gres": "gpu"}, 1),
        ({"gres": "nvme:1,gpu:a100"}, 1),
        ({"gres": "nvme:3"}, 0),
    ],
)
def test_gpus_asked(resources: dict[str, object], gpus: int | None) -> None:
    assert gpus_asked(resources) == gpus


def test_misspelt_rules_name_the_nearest() -> None:
    named = {"set-resources": ["predict_region", "predict_regions"], "set-threads": ["xyz"]}
    assert misspelt_rules(named, ["predict_regions", "all"]) == [
        "profile: set-resources: there is no rule predict_region (did you mean predict_regions?)",
        "profile: set-threads: there is no rule xyz",
    ]


def test_only_jobs_of_this_folder_and_workflow_are_left_behind() -> None:
    squeue = "1|fathomflow_a|/p\n2|fathomflow_b|/q\n3|other|/p\n4|fathomflow_c|/p\n"
    assert jobs_left_behind(squeue, "/p", "fathomflow_") == ["1", "4"]


def test_locked(tmp_path: Path) -> None:
    assert not locked(tmp_path)
    (tmp_path / ".snakemake" / "locks").mkdir(parents=True)
    (tmp_path / ".snakemake" / "locks" / "0.input.lock").touch()
    assert locked(tmp_path)


def test_limits_file_is_read_strictly() -> None:
    document = yaml.safe_load((ROOT / "profiles/pace/limits.yaml").read_text())
    cluster = read_cluster("profiles/pace/limits.yaml", document)
    assert cluster.partitions["gpu-rtx6000"].gpus == 4
    assert cluster.qos["embers"].runtime == 480
    with pytest.raises(InputError, match="partitions: x: unknown key memory"):
        read_cluster("f", {"partitions": {"x": {"memory": 1}}})


# --- the workflow itself, planning under the profile


def plan(folder: Path, changes: dict[str, str] | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Plan the FathomNet study under a copy of the profile in which texts are replaced."""
    profile = folder / "profile"
    shutil.copytree(ROOT / "profiles" / "pace", profile)
    text = (profile / "config.yaml").read_text()
    for old, new in (changes or {}).items():
        assert old in text
        text = text.replace(old, new)
    (profile / "config.yaml").write_text(text)
    (folder / "work").mkdir()
    for name in ("scripts", "config", "envs"):
        (folder / "work" / name).symlink_to(ROOT / name)
    conda = ROOT / "tests" / "pace" / "conda" / "bin"
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--profile",
        str(profile),
        "--snakefile",
        str(ROOT / "Snakefile"),
        "-n",
    ]
    return subprocess.run(
        [*command, "--configfile", "config/config.yaml"],
        cwd=folder / "work",
        env={**os.environ, "PATH": f"{conda}:{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.workflow
def test_the_profile_passes(tmp_path: Path) -> None:
    done = plan(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "slurm_partition=gpu-rtx6000" in done.stdout


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("changes", "environment", "line"),
    [
        (
            {"  predict_regions:\n": "  predict_region:\n"},
            {},
            "there is no rule predict_region (did you mean predict_regions?)",
        ),
        ({"gpu-rtx6000": "cpu-small"}, {}, "predict_regions: computes on a GPU, but partition cpu-small has none"),
        ({}, {"PACE_ACCOUNT": ""}, "no account: export PACE_ACCOUNT"),
        (
            {"mem_mb: min(64000 * attempt, 190000)": "mem_mb: 200000 * attempt"},
            {},
            "asks for 400000 MB of memory at attempt 2",
        ),
    ],
)
def test_mistakes_are_refused_before_anything_is_submitted(
    tmp_path: Path, changes: dict[str, str], environment: dict[str, str], line: str
) -> None:
    done = plan(tmp_path, changes, **environment)
    assert done.returncode != 0
    assert len([each for each in (done.stdout + done.stderr).splitlines() if line in each]) == 1
    assert "Job stats" not in done.stdout


@pytest.mark.workflow
def test_one_variable_sends_downloads_to_compute_nodes(tmp_path: Path) -> None:
    done = plan(tmp_path, PACE_DOWNLOADS="cpu-small", PACE_QOS="embers")
    assert done.returncode == 0, done.stdout + done.stderr
    blocks = re.findall(r"^rule download_images:\n(?:    .*\n)+", done.stdout, flags=re.MULTILINE)
    assert blocks
    assert all("slurm_partition=cpu-small" in block and "qos=embers" in block for block in blocks)


def test_the_preflight_looks_at_as_many_attempts_as_the_profile_makes() -> None:
    retries = re.search(r"^retries: (\d+)$", (ROOT / "profiles/pace/config.yaml").read_text(), flags=re.MULTILINE)
    attempts = re.search(r"^ATTEMPTS = \((.*)\)$", (ROOT / "rules/common/cluster.smk").read_text(), flags=re.MULTILINE)
    assert retries
    assert attempts
    assert len(attempts[1].split(",")) == int(retries[1]) + 1
