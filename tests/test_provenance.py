"""The record of what results were made from."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from fathomflow.provenance import describe


def test_files_revision_and_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table = Path("t.csv")
    table.write_text("a\n1\n")
    assert describe({}, [table])["revision"] is None

    def git(*arguments: str) -> str:
        author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        return subprocess.run(["git", *author, *arguments], check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    git("add", "t.csv")
    git("commit", "-qm", "first")
    record = describe({"study": "x"}, [table])
    assert record["revision"] == git("rev-parse", "HEAD")
    assert record["modified"] is False
    assert record["configuration"] == {"study": "x"}
    assert record["files"] == {"t.csv": hashlib.sha256(b"a\n1\n").hexdigest()}
    assert {"python", "pandas"} <= record["versions"].keys()
    table.write_text("a\n2\n")
    assert describe({}, [table])["modified"] is True
