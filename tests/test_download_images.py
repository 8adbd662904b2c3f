"""The downloader on real FathomNet images and addresses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from conftest import ROOT, shared_folder
from fathomflow.image_records import ImageEntry, read_manifest
from faulty_server import serve, serving
from hosts import standing_in
from images import entries_csv, image_bytes

SCRIPTS = ROOT / "scripts"


def run(name, *arguments, **kwargs):
    return subprocess.run(
        [sys.executable, str(SCRIPTS / f"{name}.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **kwargs,
    )


def official_entries(path: Path, base: str = "") -> list[ImageEntry]:
    images = json.loads(path.read_text())["images"]
    return [
        ImageEntry(
            i["id"],
            i["file_name"],
            base + (urlsplit(i["coco_url"]).path if base else i["coco_url"]),
            i["width"],
            i["height"],
        )
        for i in images
    ]


@pytest.fixture(scope="module")
def mini():
    return shared_folder("fathomnet-2025") / "mini"


def test_the_mini_set_comes_through_a_server_whole(mini, tmp_path):
    entries = official_entries(mini / "dataset.json")
    files = {e.file_name: (mini / "images" / e.file_name) for e in entries}
    scripts = {urlsplit(e.uri).path: [serve(files[e.file_name].read_bytes())] for e in entries}
    with serving(scripts) as server:
        (tmp_path / "i.csv").write_text(entries_csv(official_entries(mini / "dataset.json", server.url(""))))
        shards = []
        for shard in range(3):
            shards.append(tmp_path / f"{shard}.csv")
            done = run(
                "download_images",
                *("--images", tmp_path / "i.csv", "--shard", shard, "--of", 3),
                *("--store", tmp_path / "store", "--manifest", shards[-1]),
            )
            assert done.returncode == 0, done.stderr
    done = run("gather_images", "--images", tmp_path / "i.csv", "--shards", *shards, "--manifest", tmp_path / "m.csv")
    assert done.returncode == 0, done.stderr
    records = read_manifest(tmp_path / "m.csv")
    assert len(records) == 32
    assert {record.status for record in records} == {"ok"}
    assert sorted(record.mode for record in records) == ["RGB"] * 28 + ["RGBA"] * 4
    for record in records:
        assert (tmp_path / "store" / record.file_name).read_bytes() == files[record.file_name].read_bytes()


def test_the_mini_set_is_taken_from_its_folder(mini, tmp_path):
    (tmp_path / "i.csv").write_text(entries_csv(official_entries(mini / "dataset.json")))
    done = run(
        "download_images", "--images", tmp_path / "i.csv", "--folder", mini / "images", "--manifest", tmp_path / "m.csv"
    )
    assert done.returncode == 0, done.stderr
    assert {record.status for record in read_manifest(tmp_path / "m.csv")} == {"ok"}


def test_all_official_test_images_come_from_the_host_that_the_annotations_name(tmp_path):
    """The 325 real addresses, over TLS, from a local server that answers for the host."""
    shared = shared_folder("fathomnet-2025")
    entries = official_entries(shared / "dataset_test.json")
    assert len(entries) == 325
    sizes = sorted({(e.width, e.height) for e in entries})
    pictures = {size: image_bytes(7, *size, mode="L") for size in sizes}
    scripts = {urlsplit(e.uri).path: [serve(pictures[e.width, e.height])] for e in entries}
    wrong = entries[100]
    scripts[urlsplit(wrong.uri).path] = [serve(image_bytes(1, wrong.width, wrong.height - 1, mode="L"))]
    (tmp_path / "i.csv").write_text(entries_csv(entries))
    with standing_in(tmp_path, ["database.fathomnet.org"], scripts) as (server, environment):
        done = run(
            "download_images",
            *("--images", tmp_path / "i.csv", "--store", tmp_path / "store", "--manifest", tmp_path / "m.csv"),
            *("--attempts", 2),
            env=environment,
        )
        assert done.returncode == 0, done.stderr
        assert dict(server.asked) == {path: 2 if path == urlsplit(wrong.uri).path else 1 for path in scripts}
    records = read_manifest(tmp_path / "m.csv")
    assert [(r.image_id, r.file_name, r.uri) for r in records] == [(e.image_id, e.file_name, e.uri) for e in entries]
    for record in records:
        if record.image_id == wrong.image_id:
            assert record.status == "corrupt"
            assert f"the annotations say {wrong.width}x{wrong.height}" in record.detail
        else:
            assert record.status == "ok"
            assert (tmp_path / "store" / record.file_name).read_bytes() == pictures[record.width, record.height]
