"""Exit statuses and messages of the programs."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAMS = sorted((ROOT / "scripts").glob("*.py"))


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_every_program_explains_itself(program: Path) -> None:
    done = run(program, "--help")
    assert done.returncode == 0, done.stderr
    usage, _, description = done.stdout.partition("\n\n")
    assert usage.startswith("usage: ")
    assert len(description.split()) > 5, "no description"


def test_a_users_mistake_is_one_line_and_status_2(tmp_path: Path) -> None:
    done = run(
        ROOT / "scripts/read_annotations.py",
        *("--annotations", tmp_path / "none.json"),
        *("--regions", tmp_path / "r", "--images", tmp_path / "i", "--categories", tmp_path / "c"),
    )
    assert done.returncode == 2
    assert done.stderr == f"error: {tmp_path}/none.json: no such file\n"
    assert list(tmp_path.iterdir()) == []


def test_progress_without_a_terminal_is_lines(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, 'scripts')\n"
        "from fathomflow.program import progress\n"
        "with progress(total=4, description='boxes', unit='box') as bar:\n"
        "    [bar.update() for _ in range(4)]\n"
    )
    done = run("-c", code)
    lines = done.stderr.splitlines()
    assert "\r" not in done.stderr
    assert lines[-1].startswith("boxes: 4/4 box (100 %)")
    assert len(lines) <= 3
