"""What several test files use: copies of the project to run Snakemake in, and the shared reference data."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
# Tests build and delete datasets: never in the database that the caller's own shell points to.
for name in [name for name in os.environ if name.startswith("FIFTYONE_")]:
    del os.environ[name]
PARTS = ["Snakefile", "rules", "scripts", "config", "envs", "profiles"]


@dataclass(frozen=True)
class Workspace:
    """A copy of the project in a folder of its own, as a fresh clone would be."""

    root: Path

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run snakemake with the local profile, and show its output when it should have ended well and did not."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["snakemake", "--profile", "profiles/local", "--cores", "2", *arguments],
            cwd=self.root,
            env=os.environ
            | {
                "PATH": path,
                "OMP_NUM_THREADS": "1",
                "XDG_CACHE_HOME": str(self.root / ".cache"),
                # Snakemake's Slurm plugin asks Slurm when it is loaded, and waits for one that is set up but down.
                "SLURM_CONF": os.devnull,
            },
            capture_output=True,
            text=True,
        )
        if check and done.returncode:
            pytest.fail(f"snakemake {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def planned(self, *arguments: str) -> dict[str, int]:
        """Return how many jobs of each rule a dry run lists."""
        return job_counts(self.snakemake("-n", *arguments))

    def configure(self, name: str, values: dict[str, object]) -> str:
        """Write a configuration and return the option that selects it."""
        path = self.root / "config" / f"{name}.yaml"
        path.write_text(yaml.safe_dump(values))
        return f"--configfile=config/{name}.yaml"

    def touch_everything(self) -> None:
        """Give every file, sources, data and results alike, a new modification time, in no special order."""
        for path in sorted(self.root.rglob("*"), reverse=True):
            if path.is_file() and ".snakemake" not in path.parts:
                path.touch()


def job_counts(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Read the table of jobs that Snakemake prints before it runs, or plans, anything."""
    found = re.search(
        r"^Job stats:\n.*\n[- ]+\n(.*?)^total ", done.stdout + done.stderr, flags=re.MULTILINE | re.DOTALL
    )
    if found is None:
        assert "Nothing to be done" in done.stdout + done.stderr, done.stdout + done.stderr
        return {}
    return {rule: int(count) for rule, count in re.findall(r"^(\S+)\s+(\d+)$", found[1], flags=re.MULTILINE)}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a fresh copy of the project."""
    return make_workspace(tmp_path / "clone")


def make_workspace(root: Path) -> Workspace:
    """Copy what the workflow consists of."""
    root.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, root / part)
    return Workspace(root)


def shared_folder(name: str) -> Path:
    """Return a folder of reference data, or skip the test and say what is missing.

    `name` is ``fathomnet-2025`` or the name of a folder beside it. The environment variable FATHOMNET_SHARED moves
    both.
    """
    fathomnet = Path(os.environ.get("FATHOMNET_SHARED", ROOT / ".." / "shared" / "fathomnet-2025")).resolve()
    folder = fathomnet.parent / name if name != "fathomnet-2025" else fathomnet
    if not folder.is_dir():
        pytest.skip(f"the reference data {name} are absent (FATHOMNET_SHARED names their place)")
    return folder
