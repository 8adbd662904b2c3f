from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fathomflow.errors import InputError
from fathomflow.image_records import read_learned, read_manifest
from fathomflow.image_store import check_folder, check_share, fill_store, learned_beside
from fathomflow.web import Policy
from faulty_server import (
    hang_up,
    html,
    redirect,
    reset,
    serve,
    serving,
    short,
    stall,
    status,
    trickle,
    understated,
)
from images import entries_csv, entry, image_bytes

PROGRAM = Path(__file__).parents[1] / "scripts" / "download_images.py"
FAST = Policy(attempts=3, timeout_s=1.5, backoff_s=0.02)


def fill(tmp_path, entries, *, full=False, policy=FAST, concurrency=16):
    return fill_store(
        entries, tmp_path / "store", tmp_path / "learned.jsonl", policy=policy, concurrency=concurrency, full=full
    )


def program(*arguments, **kwargs):
    return subprocess.run(
        [sys.executable, str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, check=False, **kwargs
    )


#: Scripts by kind: what the server does with an image's bytes, what must become of it, and how often it is asked.
KINDS = {
    "plain": (lambda d: [serve(d)], "ok", "", 1),
    "gone": (lambda _: [status(404)], "missing", "HTTP status 404", 1),
    "gone for good": (lambda _: [status(410)], "missing", "HTTP status 410", 1),
    "busy once": (lambda d: [status(429, {"Retry-After": "1"}), serve(d)], "ok", "", 2),
    "busy for ever": (lambda _: [status(429)], "failed", "HTTP status 429", 3),
    "broken twice": (lambda d: [status(500), status(502), serve(d)], "ok", "", 3),
    "broken": (lambda _: [status(500)], "failed", "HTTP status 500", 3),
    "forbidden": (lambda _: [status(403)], "failed", "HTTP status 403", 1),
    "stalls once": (lambda d: [stall(d, 50), serve(d)], "ok", "", 2),
    "stalls": (lambda d: [stall(d, 50)], "failed", "no byte for 1.5 s", 3),
    "reset once": (lambda d: [reset(d, 90), serve(d)], "ok", "", 2),
    "resets": (lambda d: [reset(d, 90)], "failed", "connection reset by peer", 3),
    "short once": (lambda d: [short(d, 1000), serve(d)], "ok", "", 2),
    "short": (lambda d: [short(d, 1000)], "failed", "the body ended before its announced length", 3),
    "understated": (lambda d: [understated(d, len(d) - 30)], "corrupt", "cut short|cannot be decoded", 3),
    "web page": (lambda _: [html()], "corrupt", "a web page was served instead of an image", 3),
    "web page once": (lambda d: [html(), serve(d)], "ok", "", 2),
    "truncated": (lambda d: [serve(d[: len(d) // 2])], "corrupt", "cannot be decoded", 3),
    "truncated end": (lambda d: [serve(d[:-4])], "corrupt", "cut short|cannot be decoded", 3),
    "other size": (lambda _: [serve(image_bytes(1, 41, 30))], "corrupt", "41x30 pixels, the annotations say 40x30", 3),
    "empty": (lambda _: [serve(b"")], "corrupt", "the file is empty", 3),
    "slow": (lambda d: [trickle(d, 8, 0.1)], "ok", "", 1),
    "hangs up": (lambda _: [hang_up()], "failed", "closed without an answer", 3),
    "hangs up once": (lambda d: [hang_up(), serve(d)], "ok", "", 2),
}


def test_four_hundred_files_end_as_their_scripts_say(tmp_path):
    names = list(KINDS)
    kinds = {i: names[i % len(names)] for i in range(400)}
    data = {i: image_bytes(i) for i in range(400)}
    scripts = {f"/{i}": KINDS[kinds[i]][0](data[i]) for i in range(400)}
    scripts |= {"/moved": [redirect("/0")], "/in-circles": [redirect("/in-circles")], "/to-login": [redirect("/page")]}
    scripts["/page"] = [html()]
    with serving(scripts) as server:
        entries = [entry(i, server.url(f"/{i}")) for i in range(400)]
        entries += [entry(400, server.url("/moved")), entry(401, server.url("/in-circles"))]
        entries += [entry(402, server.url("/to-login")), entry(403, "http://127.0.0.1:9/nobody-listens")]
        records = fill(tmp_path, entries, concurrency=32)
        asked = dict(server.asked)
        assert [record.image_id for record in records] == list(range(404))
        for record in records[:400]:
            _, outcome, detail, requests = KINDS[kinds[record.image_id]]
            assert record.status == outcome, (kinds[record.image_id], record)
            assert any(part in record.detail for part in detail.split("|")), (kinds[record.image_id], record)
            if record.image_id:  # 0 is also where /moved leads
                assert asked[f"/{record.image_id}"] == requests, kinds[record.image_id]
        assert [record.status for record in records[400:]] == ["ok", "failed", "corrupt", "failed"]
        for record in records:
            path = tmp_path / "store" / record.file_name
            assert path.exists() == (record.status == "ok")
            if record.status == "ok":
                meant = data[record.image_id % 400]
                assert path.read_bytes() == meant
                assert (record.bytes, record.sha256) == (len(meant), hashlib.sha256(meant).hexdigest())
                assert (record.width, record.height, record.mode, record.detail) == (40, 30, "RGB", "")
            else:
                assert (record.bytes, record.sha256, record.mode) == (0, "", "")
        assert len(list((tmp_path / "store").iterdir())) == sum(record.status == "ok" for record in records)

        # A second run asks only for what is neither ok nor missing, and comes to the same end.
        server.asked.clear()
        again = fill(tmp_path, entries, concurrency=32)
        unsettled = {f"/{r.image_id}" for r in records[:400] if r.status in ("corrupt", "failed")}
        assert {path for path in server.asked if path[1:].isdigit()} == unsettled
        assert [record.status for record in again] == [record.status for record in records]
        server.scripts |= {f"/{i}": [serve(data[i])] for i in range(400)}
        third = fill(tmp_path, entries[:400])
        assert {record.status for record in third} == {"ok", "missing"}


def test_bytes_left_on_a_connection_harm_no_other_file(tmp_path):
    """What a server sends beyond the announced length must not be taken for the next answer on that connection."""
    data = {i: image_bytes(i) for i in range(20)}
    tail = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"
    scripts = {
        f"/{i}": [serve(d) if i % 2 else understated(d + tail, len(d), keep_alive=True)] for i, d in data.items()
    }
    with serving(scripts) as server:
        records = fill(tmp_path, [entry(i, server.url(f"/{i}")) for i in data], concurrency=1)
        assert {record.status for record in records} == {"ok"}
        assert all((tmp_path / "store" / r.file_name).read_bytes() == data[r.image_id] for r in records)


def test_a_changed_file_is_fetched_again(tmp_path):
    data = image_bytes(1)
    with serving({"/a": [serve(data)], "/b": [serve(data)]}) as server:
        entries = [entry(1, server.url("/a")), entry(2, server.url("/b"))]
        fill(tmp_path, entries)
        one, two = (tmp_path / "store" / e.file_name for e in entries)
        one.write_bytes(data[:-20])
        two.write_bytes(data[:-20] + b"x" * 20)
        records = fill(tmp_path, entries)
        assert (server.asked["/a"], server.asked["/b"]) == (2, 1), "by size only the shorter file is noticed"
        records = fill(tmp_path, entries, full=True)
        assert (server.asked["/a"], server.asked["/b"]) == (2, 2), "by hash the other one is, too"
        assert one.read_bytes() == two.read_bytes() == data
        assert {record.status for record in records} == {"ok"}


def test_what_is_there_already_is_checked_not_fetched(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "1.png").write_bytes(image_bytes(1))
    (tmp_path / "store" / "2.png").write_bytes(image_bytes(2)[:100])
    with serving({"/2": [serve(image_bytes(2))]}) as server:
        records = fill(tmp_path, [entry(1, server.url("/1")), entry(2, server.url("/2"))])
        assert [record.status for record in records] == ["ok", "ok"]
        assert dict(server.asked) == {"/2": 1}


def test_an_entry_that_changed_is_not_taken_for_known(tmp_path):
    with serving({"/a": [status(404)], "/b": [serve(image_bytes(1))]}) as server:
        assert fill(tmp_path, [entry(1, server.url("/a"))])[0].status == "missing"
        assert fill(tmp_path, [entry(1, server.url("/b"))])[0].status == "ok"


def test_images_without_address_are_refused_before_anything_is_fetched(tmp_path):
    with serving({"/a": [serve(image_bytes(1))]}) as server:
        with pytest.raises(InputError, match=r"image 2: the annotations give no coco_url for '2.png'"):
            fill(tmp_path, [entry(1, server.url("/a")), entry(2, "")])
        assert not server.asked


def test_hostile_names_are_refused_before_anything_is_fetched(tmp_path):
    with serving({"/a": [serve(image_bytes(1))]}) as server:
        names = ["../x.png", "/x.png", "x" * 300, "good.png", "good.png"]
        entries = [entry(i, server.url("/a"), name) for i, name in enumerate(names)]
        (tmp_path / "i.csv").write_text(entries_csv(entries))
        done = program("--images", tmp_path / "i.csv", "--store", tmp_path / "s", "--manifest", tmp_path / "m.csv")
        assert done.returncode == 2
        assert done.stderr.count("error: ") == 4
        assert not server.asked
        assert not (tmp_path / "s").exists()


def test_abandoned_temporary_files_are_removed_fresh_ones_are_not(tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    old, fresh = store / ".1.png.99-aa.part", store / ".2.png.99-bb.part"
    old.touch()
    fresh.touch()
    os.utime(old, (time.time() - 7200,) * 2)
    with serving({"/a": [serve(image_bytes(1))]}) as server:
        fill(tmp_path, [entry(1, server.url("/a"))])
    assert sorted(path.name for path in store.iterdir()) == [fresh.name, "1.png"]


def test_a_folder_is_checked_and_left_alone(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"{number}.png").write_bytes(image_bytes(number, width=40 + number - 1))
    entries = [entry(number, "") for number in (1, 2, 3)]
    folder.chmod(0o555)
    records = check_folder(entries, folder, tmp_path / "l.jsonl", concurrency=2)
    folder.chmod(0o755)
    assert [record.status for record in records] == ["ok", "corrupt", "missing"]
    (folder / "3.png").write_bytes(image_bytes(3))
    assert check_folder(entries, folder, tmp_path / "l.jsonl", concurrency=2)[2].status == "ok"
    with pytest.raises(InputError, match="no such folder"):
        check_folder(entries, tmp_path / "none", tmp_path / "l.jsonl", concurrency=2)


def test_the_program_says_how_it_ended(tmp_path):
    scripts = {"/1": [serve(image_bytes(1))], "/2": [status(404)], "/3": [status(403)], "/4": [serve(b"")]}
    with serving(scripts) as server:
        (tmp_path / "i.csv").write_text(entries_csv([entry(i, server.url(f"/{i}")) for i in (1, 2, 3, 4)]))
        arguments = ["--images", tmp_path / "i.csv", "--store", tmp_path / "s", "--manifest", tmp_path / "m.csv"]
        done = program(*arguments, "--attempts", 2)
        assert done.returncode == 0
        assert done.stderr.splitlines()[-1].startswith("4 images: 1 ok, 1 missing, 1 corrupt, 1 failed in ")
        assert "fetching images: 4/4 images (100 %)" in done.stderr
        assert [record.status for record in read_manifest(tmp_path / "m.csv")] == ["ok", "missing", "failed", "corrupt"]
        (tmp_path / "m.csv").unlink()
        done = program(*arguments, "--attempts", 2, "--max-missing", 0.4)
        assert done.returncode == 2
        last = done.stderr.splitlines()[-1]
        assert "1 ok, 1 missing, 1 corrupt, 1 failed" in last
        assert "the first is 3.png (failed: HTTP status 403)" in last
        assert not (tmp_path / "m.csv").exists()
        assert len(read_learned(learned_beside(tmp_path / "m.csv"))) == 4, "what was learned stays"
        server.asked.clear()
        program(*arguments, "--attempts", 1)
        assert sorted(server.asked) == ["/3", "/4"]


def test_no_more_downloads_at_once_than_asked_for(tmp_path):
    data = image_bytes(1)
    with serving({f"/{i}": [serve(data)] for i in range(40)}, latency_s=0.03) as server:
        fill(tmp_path, [entry(i, server.url(f"/{i}")) for i in range(40)], concurrency=5)
        assert server.most_under_way == 5


def test_missing_ones_do_not_count_against_a_shard(tmp_path):
    with serving({}) as server:
        records = fill(tmp_path, [entry(1, server.url("/1"))])
    check_share(records, 0, tmp_path / "l")


def test_killed_twenty_times_nothing_is_torn_or_fetched_twice(tmp_path):
    count = 120
    data = {i: image_bytes(i, 64, 48) for i in range(count)}
    scripts = {f"/{i}": [trickle(data[i], 3, 0.01)] for i in range(count)} | {"/7": [status(404)]}
    whole = {f"{i}.png": content for i, content in data.items()}
    with serving(scripts, latency_s=0.03) as server:
        (tmp_path / "i.csv").write_text(
            entries_csv([entry(i, server.url(f"/{i}"), width=64, height=48) for i in range(count)])
        )

        def arguments(name):
            return [
                *("--images", str(tmp_path / "i.csv"), "--store", str(tmp_path / name / "store")),
                *("--manifest", str(tmp_path / name / "m.csv"), "--concurrency", "2"),
            ]

        assert program(*arguments("calm")).returncode == 0
        server.asked.clear()
        moments = random.Random(5)
        asked_of_finished: dict[str, int] = {}
        kills = 0
        while kills < 20:
            requests = len(server.times)
            process = subprocess.Popen(
                [sys.executable, str(PROGRAM), *arguments("rough")],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            while len(server.times) == requests and process.poll() is None:
                time.sleep(0.002)
            time.sleep(moments.uniform(0, 0.2))
            process.kill()
            if process.wait() == 0:
                break
            kills += 1
            assert {path: server.asked[path] for path in asked_of_finished} == asked_of_finished
            present = {path.name: path.read_bytes() for path in (tmp_path / "rough" / "store").glob("*.png")}
            assert all(whole[name] == content for name, content in present.items())
            asked_of_finished = {path: server.asked[path] for path in (f"/{Path(name).stem}" for name in present)}
        assert kills == 20
        assert 20 < len(asked_of_finished) < count, "the kills fell into the middle of the work"
        assert program(*arguments("rough")).returncode == 0
    assert (tmp_path / "rough" / "m.csv").read_bytes() == (tmp_path / "calm" / "m.csv").read_bytes()


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare for a small tmpfs")
def test_a_full_disk_is_one_clear_line_and_nothing_is_torn(tmp_path):
    data = {i: image_bytes(i, 200, 200) for i in range(20)}
    # Other processes cannot see into the mount, so what stands there at the end is copied out.
    script = """
        mount -t tmpfs -o size=1m none "$1" && shift && "$@"
        code=$?
        mkdir -p "$OUT" && cp -a "$STORE/." "$OUT"
        exit $code
    """
    store, copy = tmp_path / "store", tmp_path / "copy"
    store.mkdir()
    with serving({f"/{i}": [serve(data[i])] for i in data}) as server:
        (tmp_path / "i.csv").write_text(
            entries_csv([entry(i, server.url(f"/{i}"), width=200, height=200) for i in data])
        )
        command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(store), sys.executable]
        command += [str(PROGRAM), "--images", str(tmp_path / "i.csv"), "--store", str(store)]
        command += ["--manifest", str(tmp_path / "m.csv"), "--concurrency", "4"]
        environment = os.environ | {"OUT": str(copy), "STORE": str(store)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no small tmpfs here: {done.stderr.strip()}")
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert errors == [f"error: {store}: the disk is full; free some space or choose another folder"]
    assert "Traceback" not in done.stderr
    present = sorted(copy.iterdir())
    assert 3 < len(present) < 20
    assert all(path.read_bytes() == data[int(path.stem)] for path in present)


def test_a_silent_change_of_a_pinned_image_is_named(tmp_path):
    data = {i: image_bytes(i) for i in (1, 2, 3)}
    with serving({f"/{i}": [serve(data[i])] for i in data}) as server:
        (tmp_path / "i.csv").write_text(entries_csv([entry(i, server.url(f"/{i}")) for i in data]))
        arguments = ["--images", tmp_path / "i.csv", "--attempts", 2, "--manifest", tmp_path / "m.csv"]
        assert program(*arguments, "--store", tmp_path / "a").returncode == 0
        pin = [sys.executable, str(PROGRAM.with_name("pin_images.py")), "--manifest", str(tmp_path / "m.csv")]
        subprocess.run([*pin, "--output", str(tmp_path / "pins.csv")], check=True)
        pinned = (tmp_path / "pins.csv").read_text().splitlines()
        assert pinned[0] == "file_name,sha256,bytes"
        assert pinned[2] == f"2.png,{hashlib.sha256(data[2]).hexdigest()},{len(data[2])}"

        server.scripts["/2"] = [serve(image_bytes(99))]
        arguments += ["--pins", tmp_path / "pins.csv"]
        assert program(*arguments, "--store", tmp_path / "a").returncode == 0, "what is there agrees with its pin"
        (tmp_path / "m.csv").unlink()
        done = program(*arguments, "--store", tmp_path / "b")
        assert done.returncode == 2
        assert not (tmp_path / "m.csv").exists()
        errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
        assert len(errors) == 1
        assert "2.png: another content than pinned" in errors[0]
        assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["1.png", "3.png"]
        # A file that somebody replaced in a folder is noticed, too.
        (tmp_path / "a" / "3.png").write_bytes(image_bytes(98))
        done = program(*arguments, "--folder", tmp_path / "a", "--verify", "full")
        assert done.returncode == 2
        assert "3.png: another content than pinned" in done.stderr
        (tmp_path / "pins.csv").write_text("file_name,sha256,bytes\n1.png,abc,3\n")
        assert "sha256 'abc' is none" in program(*arguments, "--store", tmp_path / "a").stderr
