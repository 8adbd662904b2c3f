"""Checkpoints from Google Drive and the Hugging Face Hub, with local servers in their place."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from faulty_server import serve, serving, short, status
from hosts import standing_in

PROGRAM = Path(__file__).parents[1] / "scripts" / "fetch_checkpoint.py"
DATA = bytes(range(256)) * 4000
SHA = hashlib.sha256(DATA).hexdigest()
DRIVE = ["drive.google.com", "drive.usercontent.google.com"]
PAGE = {"Content-Type": "text/html; charset=utf-8"}
#: As Drive writes it: the form stands on one line.
ASK = (
    b'<!DOCTYPE html><html><body><p class="uc-warning-caption">Too large to scan for viruses.</p>\n'
    b'<form id="download-form" action="https://drive.usercontent.google.com/download" method="get">'
    b'<input type="hidden" name="id" value="abc"><input type="hidden" name="confirm" value="t"></form></body></html>'
)
QUOTA = b"""<!DOCTYPE html><html><body><p class="uc-error-caption">Sorry</p>
<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently.</p></body></html>"""
AS_FILE = {
    "Content-Type": "application/octet-stream",
    "Content-Disposition": 'attachment; filename="last.ckpt"',
    "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT",
}
FILE = "/download?id=abc&confirm=t"


def checkpoint(tmp_path, uri, environment, *options):
    command = [sys.executable, str(PROGRAM), "--uri", uri, "--store", str(tmp_path / "checkpoints" / "m.ckpt")]
    command += ["--record", str(tmp_path / "checkpoint.json"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)


def record(tmp_path):
    return json.loads((tmp_path / "checkpoint.json").read_text())


def test_a_large_file_comes_from_drive_past_its_question(tmp_path):
    scripts = {"/uc?id=abc": [serve(ASK, PAGE)], FILE: [serve(DATA, AS_FILE, ranges=True)]}
    with standing_in(tmp_path, DRIVE, scripts) as (_, environment):
        done = checkpoint(tmp_path, "gdrive://abc", environment, "--sha256", SHA)
    assert done.returncode == 0, done.stderr
    assert record(tmp_path) == {"uri": "gdrive://abc", "sha256": SHA, "bytes": len(DATA)}
    assert (tmp_path / "checkpoints" / "m.ckpt").read_bytes() == DATA
    assert not [path for path in (tmp_path / "checkpoints").iterdir() if "download" in path.name]


def test_a_broken_download_from_drive_is_continued_by_the_next_run(tmp_path):
    scripts = {"/uc?id=abc": [serve(ASK, PAGE)], FILE: [short(DATA, 600_000, AS_FILE)]}
    with standing_in(tmp_path, DRIVE, scripts) as (server, environment):
        done = checkpoint(tmp_path, "gdrive://abc", environment, "--attempts", "1")
        assert done.returncode == 2
        assert "run again, what came is kept and continued" in done.stderr
        assert not (tmp_path / "checkpoints" / "m.ckpt").exists()
        server.scripts[FILE] = [serve(DATA, AS_FILE, ranges=True)]
        done = checkpoint(tmp_path, "gdrive://abc", environment)
        assert done.returncode == 0, done.stderr
        assert "bytes=524288-" in [headers.get("Range") for _, headers in server.headers_seen]
    assert record(tmp_path)["sha256"] == SHA


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([serve(QUOTA, PAGE)], "does not hand the file out"),
        ([serve(b"<!DOCTYPE html><html>Sign in</html>", PAGE)], "does not hand the file out"),
        ([serve(b"<!DOCTYPE html><html>Quota exceeded</html>", PAGE | AS_FILE)], "a web page came instead of the file"),
        ([status(404, PAGE)], "does not hand the file out"),
    ],
)
def test_a_page_from_drive_is_recognised_and_not_saved(tmp_path, answer, message):
    with standing_in(tmp_path, DRIVE, {"/uc?id=abc": answer}) as (_, environment):
        done = checkpoint(tmp_path, "gdrive://abc", environment)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert sum(line.startswith("error:") for line in done.stderr.splitlines()) == 1
    assert not (tmp_path / "checkpoints" / "m.ckpt").exists()
    assert not (tmp_path / "checkpoint.json").exists()


def hub(server, path="/owner/repo/resolve/v1/weights/m.ckpt", data=DATA):
    headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": "a" * 40}
    server.heads[path] = {**headers, "Content-Length": str(len(data))}
    server.scripts[path] = [serve(data, headers, ranges=True)]


def test_a_file_comes_from_the_hub_at_its_revision(tmp_path):
    with serving({}) as server:
        hub(server)
        environment = os.environ | {"HF_ENDPOINT": server.url(""), "HF_HOME": str(tmp_path / "hf")}
        done = checkpoint(tmp_path, "hf://owner/repo/weights/m.ckpt@v1", environment)
        assert done.returncode == 0, done.stderr
        assert record(tmp_path)["sha256"] == SHA
        assert (tmp_path / "checkpoints" / "m.ckpt").read_bytes() == DATA
        assert not [path for path in tmp_path.rglob("*.ckpt") if path.parent.name != "checkpoints"], "no second copy"
        for uri, message in {
            "hf://owner/repo/weights/none.ckpt@v1": "check owner, repository, file and revision",
            "hf://owner": "not of the form hf://",
        }.items():
            done = checkpoint(tmp_path, uri, environment)
            assert done.returncode == 2, done.stderr
            assert message in done.stderr
            assert "Traceback" not in done.stderr


def test_what_cannot_fit_is_not_begun(tmp_path):
    def enormous(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(10**16))
        handler.end_headers()

    with serving({"/m": [enormous]}) as server:
        done = checkpoint(tmp_path, server.url("/m"), dict(os.environ))
    assert done.returncode == 2
    assert "1e+07 GB are needed and" in done.stderr


def test_a_killed_download_is_continued_by_the_next_run(tmp_path):
    version = {"ETag": '"v1"'}

    def stalls(handler):
        handler.send_response(200)
        handler.send_header("ETag", '"v1"')
        handler.send_header("Content-Length", str(len(DATA)))
        handler.end_headers()
        handler.wfile.write(DATA[:600_000])
        handler.wfile.flush()
        handler.server.closing.wait(30)

    partial = tmp_path / "checkpoints" / ".m.ckpt.download" / "content"
    with serving({"/m": [stalls, serve(DATA, version, ranges=True)]}) as server:
        command = [
            sys.executable,
            str(PROGRAM),
            "--uri",
            server.url("/m"),
            "--record",
            str(tmp_path / "checkpoint.json"),
        ]
        command += ["--store", str(tmp_path / "checkpoints" / "m.ckpt")]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not (partial.exists() and partial.stat().st_size >= 500_000) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
        process.wait()
        kept = partial.stat().st_size
        assert not (tmp_path / "checkpoints" / "m.ckpt").exists()
        done = checkpoint(tmp_path, server.url("/m"), dict(os.environ))
        assert done.returncode == 0, done.stderr
        assert [headers.get("Range") for _, headers in server.headers_seen] == [None, f"bytes={kept}-"]
    assert record(tmp_path)["sha256"] == SHA
