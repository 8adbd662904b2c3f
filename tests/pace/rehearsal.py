"""What the rehearsals share: a checkout in the student's storage, a driver environment, commands, accounting."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAB = Path(os.environ.get("LAB", "/var/tmp/pace-rehearsal"))  # noqa: S108 - the cluster script's default
STUDENT = "gburdell3"
ACCOUNT = "paceship-dsgt_clef2026"
STORAGE = LAB / "storage" / "coda1" / ACCOUNT / "shared"
STORE = LAB / "store"
DRIVER = LAB / "driver"

#: Looking more often than on the real cluster, where every question is answered by a daemon that thousands ask.
FAST = "--slurm-init-seconds-before-status-checks 2 --latency-wait 20 --scheduler greedy"


def on_cluster() -> bool:
    """Say whether `make rehearsal` runs this."""
    return os.environ.get("FATHOMFLOW_REHEARSAL") == "1"


def run(command: str, folder: Path, *, timeout: float = 300, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command as the student, in a folder, without this process's environment."""
    return subprocess.run(
        _as_student(command, folder, environment), capture_output=True, text=True, timeout=timeout, check=False
    )


@contextmanager
def running(command: str, folder: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run a shell command as the student in the background; what is left of it at the end is killed.

    Its output goes to driver.log in the folder.
    """
    with (folder / "driver.log").open("w") as log:
        process = subprocess.Popen(
            _as_student(command, folder, environment),
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _as_student(command: str, folder: Path, environment: dict[str, str]) -> list[str]:
    values = {
        "HOME": str(LAB / "home" / STUDENT),
        "USER": STUDENT,
        "LANG": "C.UTF-8",
        # The driver's environment, then the stand-in for conda.
        "PATH": f"{DRIVER}/bin:{ROOT_OF_CONDA}/bin:/usr/bin:/bin",
        "FATHOMFLOW_STAND_IN_STORE": str(STORE),
        "PYTHONDONTWRITEBYTECODE": "1",
        # Many jobs share two cores here.
        "OMP_NUM_THREADS": "1",
        **environment,
    }
    assignments = [f"{name}={value}" for name, value in values.items()]
    return [
        "setpriv",
        f"--reuid={STUDENT}",
        f"--regid={STUDENT}",
        "--init-groups",
        "env",
        "-i",
        # Where the tests run in the background, Ctrl-C is ignored, and that is inherited.
        "--default-signal=INT",
        *assignments,
        "bash",
        "-c",
        f"cd {shlex.quote(str(folder))} && exec {command}",
    ]


#: A copy that the student can read; the checkout may lie in root's home.
ROOT_OF_CONDA = LAB / "conda"


def prepare() -> None:
    """Make what every rehearsal needs: the packages to link from, the conda stand-in, the driver's environment."""
    site = next(path for path in map(Path, sys.path) if path.name == "site-packages" and (path / "snakemake").is_dir())
    shutil.rmtree(STORE, ignore_errors=True)
    # Links where the file system allows, else copies: the student cannot read root's folders.
    if subprocess.run(["cp", "-al", str(site), str(STORE)], capture_output=True, check=False).returncode:
        shutil.rmtree(STORE, ignore_errors=True)
        subprocess.run(["cp", "-a", str(site), str(STORE)], check=True)
    shutil.copytree(ROOT / "tests" / "pace" / "conda", ROOT_OF_CONDA, dirs_exist_ok=True)
    shutil.rmtree(DRIVER, ignore_errors=True)
    subprocess.run(
        [
            ROOT_OF_CONDA / "bin" / "conda",
            "env",
            "create",
            "--quiet",
            "--file",
            ROOT / "envs" / "snakemake.yaml",
            "--prefix",
            DRIVER,
        ],
        env={"PATH": "/usr/bin:/bin", "FATHOMFLOW_STAND_IN_STORE": str(STORE)},
        check=True,
        capture_output=True,
    )


def checkout(name: str) -> Path:
    """Copy the repository, as git sees it, into the student's project storage."""
    folder = STORAGE / name
    shutil.rmtree(folder, ignore_errors=True)
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for file in filter(None, listed.split("\0")):
        if (ROOT / file).is_file():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, folder / file)
    subprocess.run(["chown", "-R", f"{STUDENT}:", str(folder)], check=True)
    return folder


@dataclass(frozen=True)
class Accounted:
    """A job as accounting has it: memory in MB, time limit in minutes."""

    job: str
    rule: str
    wildcards: str
    account: str
    qos: str
    partition: str
    state: str
    gpus: int
    cpus: int
    mem_mb: int
    runtime: int


def accounted(folder: Path) -> list[Accounted]:
    """Return a checkout's jobs in the order of submission; a job that was queued again has a row for each start."""
    # Accounting remembers earlier checkouts of the same name.
    since = datetime.fromtimestamp((folder / "Snakefile").stat().st_mtime).strftime("%Y-%m-%dT%H:%M:%S")
    fields = ["JobIDRaw", "WorkDir", "Comment", "Account", "QOS", "Partition", "State", "ReqTRES", "TimelimitRaw"]
    command = ["sacct", "-X", "-D", "-n", "-P", "-u", STUDENT, "-S", since, "-o", ",".join(fields)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [line.split("|") for line in lines]
    return [_accounted(row) for row in rows if row[1] == str(folder)]


def _accounted(row: list[str]) -> Accounted:
    job, _, comment, account, qos, partition, state, tres, runtime = row
    asked = dict(item.split("=", 1) for item in tres.split(",") if "=" in item)
    memory = asked.get("mem", "0M")
    rule, _, wildcards = comment.removeprefix("rule_").partition("_wildcards_")
    return Accounted(
        job=job,
        rule=rule,
        wildcards=wildcards,
        account=account,
        qos=qos,
        partition=partition,
        state=state.split()[0],
        gpus=int(asked.get("gres/gpu", 0)),
        cpus=int(asked["cpu"]),
        mem_mb=round(float(memory[:-1]) * {"M": 1, "G": 1024, "T": 1024**2}[memory[-1]]),
        runtime=int(runtime),
    )


@dataclass(frozen=True)
class Queued:
    """A job in the queue."""

    job: str
    state: str
    name: str
    rule: str
    node: str


def queue(folder: Path) -> list[Queued]:
    """Return the jobs of a folder that are queued or running."""
    command = ["squeue", "-h", "-u", STUDENT, "-o", "%i|%T|%j|%k|%N|%Z"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [line.split("|") for line in lines]
    return [
        Queued(job, state, name, comment.removeprefix("rule_").partition("_wildcards_")[0], node)
        for job, state, name, comment, node, where in rows
        if where == str(folder)
    ]


def until(condition: Callable[[], object], timeout: float, what: str, folder: Path) -> None:
    """Wait until a condition holds, or fail saying what did not come."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            log = folder / "driver.log"
            said = log.read_text()[-3000:] if log.is_file() else ""
            raise AssertionError(f"after {timeout} s still not: {what}\n{queue(folder)}\n{said}")
        time.sleep(0.5)
