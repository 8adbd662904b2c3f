from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fathomflow import staging
from fathomflow.staging import staged


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "shared" / "model.safetensors"
    path.parent.mkdir()
    path.write_bytes(os.urandom(100_000))
    return path


def test_without_a_folder_the_file_stays(weights: Path) -> None:
    assert staged(weights, None, "abc") == weights


def test_copy_has_the_bytes_and_is_made_once(weights: Path, tmp_path: Path) -> None:
    copy = staged(weights, tmp_path / "node", "abc")
    assert copy == tmp_path / "node" / "abc"
    assert copy.read_bytes() == weights.read_bytes()
    before = copy.stat().st_mtime_ns
    assert staged(weights, tmp_path / "node", "abc").stat().st_mtime_ns == before


def test_other_content_has_another_name(weights: Path, tmp_path: Path) -> None:
    staged(weights, tmp_path / "node", "abc")
    weights.write_bytes(b"new")
    assert staged(weights, tmp_path / "node", "def").read_bytes() == b"new"


def test_a_part_of_a_copy_is_not_taken(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "abc").write_bytes(b"cut off")
    assert staged(weights, tmp_path / "node", "abc").read_bytes() == weights.read_bytes()


def test_no_room_reads_the_file_where_it_is(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 150_000})()
    monkeypatch.setattr(staging.shutil, "disk_usage", lambda _: usage)
    assert staged(weights, tmp_path / "node", "abc") == weights


def test_programs_side_by_side_copy_once(weights: Path, tmp_path: Path) -> None:
    code = (
        "import logging, sys; from pathlib import Path; from fathomflow.staging import staged; "
        "logging.basicConfig(level=logging.INFO); staged(Path(sys.argv[1]), Path(sys.argv[2]), 'abc')"
    )
    command = [sys.executable, "-c", code, str(weights), str(tmp_path / "node")]
    environment = {**os.environ, "PYTHONPATH": str(Path(staging.__file__).parents[1])}
    programs = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    messages = [program.communicate()[1] for program in programs]
    assert sum("copied" in message for message in messages) == 1
    assert (tmp_path / "node" / "abc").read_bytes() == weights.read_bytes()
