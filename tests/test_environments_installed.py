"""The real workflow in environments that pip really installed from envs/: `make environments-check`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkpoint import write_checkpoint

ROOT = Path(__file__).parents[1]

pytestmark = [
    pytest.mark.environments,
    pytest.mark.skipif(
        os.environ.get("FATHOMFLOW_INSTALL_ENVIRONMENTS") != "1", reason="downloads 5 GB: `make environments-check`"
    ),
]


def test_the_study_runs_in_installed_environments(tmp_path: Path) -> None:
    for name in ("scripts", "config", "envs", "tests", "rules", "Snakefile"):
        (tmp_path / name).symlink_to(ROOT / name)
    write_checkpoint(tmp_path)
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--software-deployment-method", "conda"]
    environment = {
        **os.environ,
        "PATH": f"{ROOT}/tests/pace/conda/bin:{os.environ['PATH']}",
        "FATHOMFLOW_STAND_IN_STORE": "pip",
    }
    done = subprocess.run(
        [*command, "--configfile", "tests/pace/study.yaml"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    assert len(list((tmp_path / "results/rehearsal/evaluation").glob("*/*/report.html"))) == 2
    installed = sorted((tmp_path / ".snakemake/conda").glob("*/stand-in.txt"))
    assert [path.read_text() for path in installed] == ["installed by pip\n"] * 3
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


@pytest.mark.parametrize("name", ["snakemake", "fiftyone"])
def test_other_environments_install(name: str, tmp_path: Path) -> None:
    conda = ROOT / "tests/pace/conda/bin/conda"
    command = [
        sys.executable,
        conda,
        "env",
        "create",
        "--file",
        ROOT / "envs" / f"{name}.yaml",
        "--prefix",
        tmp_path / "env",
    ]
    subprocess.run(command, env={**os.environ, "FATHOMFLOW_STAND_IN_STORE": "pip"}, check=True)
    done = subprocess.run(
        [tmp_path / "env/bin/python", "-c", f"import {name}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
