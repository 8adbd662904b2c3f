"""The real workflow in environments that pip really installed from envs/: `make environments-check`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkpoint import write_checkpoint

from conftest import make_workspace
from fathomflow.curation.mongod import start_server, stop_server

ROOT = Path(__file__).parents[1]

pytestmark = [
    pytest.mark.environments,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        os.environ.get("FATHOMFLOW_INSTALL_ENVIRONMENTS") != "1", reason="downloads 5 GB: `make environments-check`"
    ),
]


def test_the_study_runs_in_installed_environments(tmp_path: Path) -> None:
    for name in ("scripts", "config", "envs", "tests", "rules", "Snakefile"):
        (tmp_path / name).symlink_to(ROOT / name)
    write_checkpoint(tmp_path)
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--software-deployment-method", "conda"]
    # FiftyOne's package has no MongoDB for Debian 12, so its environment works on a server of this test's.
    server = start_server(tmp_path / "database")
    environment = {
        **os.environ,
        "PATH": f"{ROOT}/tests/pace/conda/bin:{os.environ['PATH']}",
        "FATHOMFLOW_STAND_IN_STORE": "pip",
        "FIFTYONE_DATABASE_URI": server.uri,
    }
    try:
        done = subprocess.run(
            [*command, "--configfile", "tests/pace/study.yaml", "--", "all", "training", "fiftyone", "corrections"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        stop_server(server, tmp_path / "database")
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    assert len(list((tmp_path / "results/rehearsal/evaluation").glob("*/*/report.html"))) == 2
    state = json.loads((tmp_path / "results/rehearsal/fiftyone/rehearsal.json").read_text())
    assert state["images"]["test"] > 0
    assert (tmp_path / "results/rehearsal/fiftyone/corrections/train.csv").is_file()
    installed = sorted((tmp_path / ".snakemake/conda").glob("*/stand-in.txt"))
    assert [path.read_text() for path in installed] == ["installed by pip\n"] * 4
    cuda = [
        subprocess.run(
            [path.with_name("bin") / "python", "-c", "import torch; print(torch.__version__, torch.version.cuda)"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split()
        for path in installed
    ]
    assert ["2.10.0+cu128", "12.8"] in cuda


def test_the_drivers_environment_plans_the_study(tmp_path: Path) -> None:
    conda = ROOT / "tests/pace/conda/bin/conda"
    command = [
        sys.executable,
        conda,
        "env",
        "create",
        "--file",
        ROOT / "envs" / "snakemake.yaml",
        "--prefix",
        tmp_path / "env",
    ]
    subprocess.run(command, env={**os.environ, "FATHOMFLOW_STAND_IN_STORE": "pip"}, check=True)
    done = subprocess.run(
        [tmp_path / "env/bin/python", "-m", "snakemake", "-n", "--cores", "1", "--configfile", "config/demo.yaml"],
        cwd=make_workspace(tmp_path / "clone").root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "make_demo_study" in done.stdout
