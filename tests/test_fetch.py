from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fathomflow.checkpoint_store import obtain_checkpoint
from fathomflow.errors import InputError
from fathomflow.fetch import Fetched, fetch, fetch_annotations, local_file
from fathomflow.web import Policy
from faulty_server import html, reset, serve, serving, short, stall, status

SCRIPTS = Path(__file__).parents[1] / "scripts"
FAST = Policy(attempts=3, timeout_s=1.0, backoff_s=0.01)
DATA = bytes(range(256)) * 8000
SHA = hashlib.sha256(DATA).hexdigest()
TAGGED = {"ETag": '"v1"'}


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("a/b.json", "a/b.json"),
        ("/a b/c", "/a b/c"),
        ("file:///a%20b/c", "/a b/c"),
        ("https://x/y", None),
        ("gs://bucket/x", None),
    ],
)
def test_local_uris_are_told_from_others(uri, path):
    assert local_file(uri) == (Path(path) if path else None)


@pytest.mark.parametrize("kind", ["path", "file", "http"])
def test_every_kind_of_uri_gives_the_same_file(tmp_path, kind):
    (tmp_path / "source file").write_bytes(DATA)
    with serving({"/d": [serve(DATA)]}) as server:
        uri = {"path": str(tmp_path / "source file"), "http": server.url("/d")}.get(
            kind, (tmp_path / "source file").as_uri()
        )
        fetched = fetch(uri, tmp_path / "new" / "copy", sha256=SHA, policy=FAST)
    assert fetched == Fetched(uri, SHA, len(DATA))
    assert (tmp_path / "new" / "copy").read_bytes() == DATA
    assert visible(tmp_path / "new") == ["copy"]


@pytest.mark.parametrize("kind", ["path", "http"])
def test_another_hash_than_expected_leaves_nothing_under_the_name(tmp_path, kind):
    (tmp_path / "source").write_bytes(DATA)
    with serving({"/d": [serve(DATA)]}) as server:
        uri = str(tmp_path / "source") if kind == "path" else server.url("/d")
        with pytest.raises(InputError, match=f"sha256 expected {'0' * 64}, found {SHA}"):
            fetch(uri, tmp_path / "new" / "copy", sha256="0" * 64, policy=FAST)
    assert not (tmp_path / "new" / "copy").exists()


def test_what_cannot_be_fetched_says_what_to_do(tmp_path):
    with serving({"/gone": [status(404)], "/sick": [status(500)]}) as server:
        with pytest.raises(InputError, match="HTTP status 404; check the address"):
            fetch(server.url("/gone"), tmp_path / "x", policy=FAST)
        with pytest.raises(InputError, match="HTTP status 500; run again"):
            fetch(server.url("/sick"), tmp_path / "x", policy=FAST)
    with pytest.raises(InputError, match="no such file"):
        fetch("absent.json", tmp_path / "x")
    with pytest.raises(InputError, match="cannot fetch gopher://"):
        fetch("gopher://x/y", tmp_path / "x")


@pytest.mark.parametrize("fault", [short(DATA, 600_000, TAGGED), stall(DATA, 600_000), reset(DATA, 600_000)])
def test_a_broken_download_is_continued_where_bytes_can_be_trusted(tmp_path, fault):
    with serving({"/d": [fault, serve(DATA, TAGGED, ranges=True)]}) as server:
        assert fetch(server.url("/d"), tmp_path / "x", policy=FAST).sha256 == SHA
        ranges = [headers.get("Range") for _, headers in server.headers_seen]
    assert ranges[0] is None
    # Only the first of the three servers says which version its bytes are of.
    assert (ranges[1] is not None) == (
        fault.__closure__ is not None and TAGGED in [c.cell_contents for c in fault.__closure__]
    )


def test_a_connection_that_brings_something_does_not_use_up_attempts(tmp_path):
    def piece(handler):
        start = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        code = 206 if start else 200
        handler.send_response(code)
        handler.send_header("ETag", '"v1"')
        handler.send_header("Content-Length", str(len(DATA) - start))
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
        handler.end_headers()
        handler.wfile.write(DATA[start : start + 300_000])
        handler.close_connection = True

    with serving({"/d": [piece]}) as server:
        assert fetch(server.url("/d"), tmp_path / "x", policy=FAST).sha256 == SHA
        assert server.asked["/d"] == 7


def test_a_file_that_changed_meanwhile_starts_anew(tmp_path):
    other = DATA[::-1]
    with serving({"/d": [short(DATA, 600_000, TAGGED), serve(other, {"ETag": '"v2"'}, ranges=True)]}) as server:
        fetch(server.url("/d"), tmp_path / "x", policy=FAST)
    assert (tmp_path / "x").read_bytes() == other


def test_kept_bytes_beyond_the_end_start_anew(tmp_path):
    def refuses(handler):
        (status(416) if "Range" in handler.headers else serve(DATA[:1000], TAGGED))(handler)

    with serving({"/d": [short(DATA, 600_000, TAGGED), refuses]}) as server:
        fetch(server.url("/d"), tmp_path / "x", policy=FAST)
    assert (tmp_path / "x").read_bytes() == DATA[:1000]


def test_another_part_than_asked_for_is_refused(tmp_path):
    def wrong_part(handler):
        if "Range" not in handler.headers:
            serve(DATA, TAGGED)(handler)
            return
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes 0-999/{len(DATA)}")
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(DATA[:1000])

    with serving({"/d": [short(DATA, 600_000, TAGGED), wrong_part]}) as server:
        fetch(server.url("/d"), tmp_path / "x", policy=FAST)
    assert (tmp_path / "x").read_bytes() == DATA


def test_two_runs_do_not_write_to_one_partial_file(tmp_path):
    with serving({"/d": [stall(DATA, 1000), serve(DATA)]}) as server:
        program = [sys.executable, str(SCRIPTS / "fetch_checkpoint.py")]
        command = [*program, "--uri", server.url("/d"), "--store", str(tmp_path / "x"), "--record", str(tmp_path / "r")]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as first:
            while not server.asked:
                time.sleep(0.01)
            try:
                with pytest.raises(InputError, match="another run is fetching this file"):
                    fetch(server.url("/d"), tmp_path / "x", policy=FAST)
            finally:
                first.kill()
        assert fetch(server.url("/d"), tmp_path / "x", policy=FAST).sha256 == SHA


def test_annotations_must_be_json(tmp_path):
    document = json.dumps({"images": []}).encode()
    with serving({"/a": [serve(document)], "/login": [html()], "/cut": [serve(document[:-1])]}) as server:
        fetch_annotations(server.url("/a"), tmp_path / "a.json")
        with pytest.raises(InputError, match="a web page came instead of the file"):
            fetch_annotations(server.url("/login"), tmp_path / "b.json")
        with pytest.raises(InputError, match="not JSON"):
            fetch_annotations(server.url("/cut"), tmp_path / "b.json")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_the_program_refuses_a_wrong_hash(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    command = [sys.executable, str(SCRIPTS / "fetch_annotations.py"), "--uri", str(tmp_path / "a.json")]
    command += ["--output", str(tmp_path / "out" / "train.json")]
    done = subprocess.run([*command, "--sha256", "f" * 64], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out" / "train.json").exists()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert hashlib.sha256(b"{}").hexdigest() in done.stderr.splitlines()[-1]


def checkpoint(tmp_path, uri, **kwargs):
    obtain_checkpoint(uri, tmp_path / "store" / "m.ckpt", tmp_path / "r" / "checkpoint.json", policy=FAST, **kwargs)
    return json.loads((tmp_path / "r" / "checkpoint.json").read_text())


def test_a_local_checkpoint_stays_where_it_is(tmp_path):
    (tmp_path / "m.ckpt").write_bytes(DATA)
    uri = str(tmp_path / "m.ckpt")
    assert checkpoint(tmp_path, uri) == {"uri": uri, "sha256": SHA, "bytes": len(DATA)}
    assert not (tmp_path / "store").exists()
    with pytest.raises(InputError, match="sha256 expected"):
        checkpoint(tmp_path, uri, sha256="0" * 64)


def test_a_stored_checkpoint_is_fetched_once_and_trusted_by_its_hash(tmp_path):
    with serving({"/m": [serve(DATA)], "/n": [serve(DATA[:-1])]}) as server:
        record = checkpoint(tmp_path, server.url("/m"))
        assert record == {"uri": server.url("/m"), "sha256": SHA, "bytes": len(DATA)}
        assert checkpoint(tmp_path, server.url("/m"), sha256=SHA) == record
        assert server.asked["/m"] == 1
        (tmp_path / "store" / "m.ckpt").write_bytes(DATA[:-1] + b"!")
        with pytest.raises(InputError, match=r"remove the file to fetch it again"):
            checkpoint(tmp_path, server.url("/m"))
        assert checkpoint(tmp_path, server.url("/n"))["bytes"] == len(DATA) - 1, "another uri replaces it"


def test_a_checkpoint_can_be_put_into_the_store_by_hand(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "m.ckpt").write_bytes(DATA)
    assert checkpoint(tmp_path, "http://127.0.0.1:9/m")["sha256"] == SHA
