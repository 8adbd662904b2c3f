from __future__ import annotations

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fathomflow.cluster_check import (
    Check,
    association_checks,
    gpu_checks,
    partition_check,
    reach_checks,
    storage_check,
    table,
)

ROOT = Path(__file__).parents[1]
ASSOCIATIONS = "lab-a|embers,inferno\nlab-b|inferno\n"


def test_table_says_what_to_do_only_where_something_is_wrong() -> None:
    checks = [Check("account", True, "lab-a", "never shown"), Check("QOS", False, "free: not allowed", "export it")]
    assert table(checks).splitlines() == [
        "✓ account  lab-a",
        "✗ QOS      free: not allowed",
        "           → export it",
    ]


def test_account_and_qos() -> None:
    assert [check.passed for check in association_checks(ASSOCIATIONS, "lab-a", "embers")] == [True, True]
    account, qos = association_checks(ASSOCIATIONS, "lab-b", "embers")
    assert account.passed
    assert not qos.passed
    assert qos.remedy == "export PACE_QOS=<one of inferno>"
    (account,) = association_checks(ASSOCIATIONS, "lab-c", "embers")
    assert not account.passed
    assert "lab-a, lab-b" in account.remedy
    (account,) = association_checks("", "", "embers")
    assert account.found == "not set: not one of yours"


def test_partitions() -> None:
    text = "PartitionName=gpu\n   State=UP MaxTime=3-00:00:00 TotalNodes=7\n"
    check = partition_check("gpu", text)
    assert (check.passed, check.found) == (True, "UP, at most 3-00:00:00, 7 nodes")
    assert not partition_check("gpu", text.replace("UP", "DOWN")).passed
    assert partition_check("gpux", "").found == "unknown to Slurm"


def test_storage(tmp_path: Path) -> None:
    assert storage_check(tmp_path, 0.001).passed
    assert not storage_check(tmp_path, 1e9).passed
    assert not storage_check(tmp_path / "missing", 0).passed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("node", "passed"),
    [
        ({"gpu": "Quadro RTX 6000, 575.57", "torch": {"version": "2.10.0", "cuda": "12.8", "available": True}}, True),
        ({"gpu": "", "torch": {"version": "2.10.0", "cuda": "12.8", "available": False}}, False),
        ({"gpu": "", "torch": {}}, False),
    ],
)
def test_gpu_and_torch(node: dict[str, object], passed: bool) -> None:
    node |= {"node": "n1", "tmpdir": "/scratch/1", "tmpdir_free_gb": 900}
    gpu, torch, scratch = gpu_checks(node)
    assert (gpu.passed, torch.passed, scratch.passed) == (passed, passed, True)


def test_hosts() -> None:
    checks = reach_checks(
        "here", {"https://a": "", "https://b": "timed out"}, {"https://a": "A", "https://b": "B"}, "x"
    )
    assert [(check.name, check.passed, check.found) for check in checks] == [
        ("A from here", True, "https://a answers"),
        ("B from here", False, "timed out"),
    ]


def test_probe_tells_what_answers_from_what_does_not() -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        silent = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        # An error page is an answer, too.
        answering = f"http://127.0.0.1:{server.server_port}/not-there"
        command = [sys.executable, "-S", ROOT / "scripts/probe_node.py", answering, silent]
        done = subprocess.run(command, env={**os.environ, "TMPDIR": "/tmp"}, capture_output=True, text=True, check=True)  # noqa: S108
    server.shutdown()
    server.server_close()
    document = json.loads(done.stdout)
    assert document["hosts"][answering] == ""
    assert "refused" in document["hosts"][silent]
    assert document["torch"] == {}
    assert document["tmpdir_free_gb"] is not None
