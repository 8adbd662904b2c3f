"""The images stage as Snakemake runs it: what was fetched survives a failed job; the demo serves itself."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest

from conftest import Workspace
from fathomflow.demo_server import serve_directory
from fathomflow.image_records import read_manifest
from faulty_server import FaultyServer, serve, serving, status
from images import HEIGHT, WIDTH, image_bytes

pytestmark = pytest.mark.workflow

DATA = {i: image_bytes(i) for i in range(1, 13)}


def study(workspace: Workspace, server: FaultyServer, **images: object) -> str:
    pictures = [
        {"id": i, "file_name": f"{i}.png", "width": WIDTH, "height": HEIGHT, "coco_url": server.url(f"/{i}")}
        for i in DATA
    ]
    boxes = [{"id": i, "image_id": i, "category_id": 1, "bbox": [1, 1, 9, 9]} for i in DATA]
    document = {"images": pictures, "annotations": boxes, "categories": [{"id": 1, "name": "Sebastes"}]}
    (workspace.root / "survey.json").write_text(json.dumps(document))
    values = {
        "study": "small",
        "splits": {"survey": {"annotations": {"uri": "survey.json"}}},
        "categories": {"lineages": "config/categories/fathomnet-2025.csv"},
        "shards": {"images": 2},
        "images": {"attempts": 2, "timeout_s": 5, "max_missing": 0.1, **images},
    }
    return workspace.configure("small", values)


def test_a_failed_download_is_continued_and_pins_are_checked(workspace):
    scripts = {f"/{i}": [serve(data)] for i, data in DATA.items()} | {"/7": [status(404)]}
    broken = {f"/{i}": [status(503)] for i in (2, 4, 6)}
    with serving(scripts | broken) as server:
        option = study(workspace, server)
        done = workspace.snakemake(option, "images", check=False)
        assert done.returncode != 0
        log = (workspace.root / "results/logs/download_images/survey/1.log").read_text()
        assert "error: 6 images: 3 ok, 0 missing, 0 corrupt, 3 failed: more corrupt and failed ones" in log
        assert len(list((workspace.root / "data/images/survey").glob("*.png"))) == 8, "images of the failed job stay"

        server.asked.clear()
        server.scripts.update(scripts)
        workspace.snakemake(option, "images")
        assert dict(server.asked) == {"/2": 1, "/4": 1, "/6": 1}, (
            "nothing else is fetched again, not even what is missing"
        )
        records = read_manifest(workspace.root / "results/images/survey.csv")
        assert [record.image_id for record in records if record.status != "ok"] == [7]

        # A pinned image that changed on the server is named.
        subprocess.run(
            [sys.executable, "scripts/pin_images.py", "--configuration", "config/small.yaml"],
            cwd=workspace.root,
            check=True,
        )
        pins = workspace.root / "config/checksums/small/survey.csv"
        assert len(pins.read_text().splitlines()) == 1 + 11
        (workspace.root / "data/images/survey/5.png").unlink()
        server.scripts["/5"] = [serve(image_bytes(99))]
        done = workspace.snakemake(option, "images", check=False)
        assert done.returncode != 0
        log = (workspace.root / "results/logs/download_images/survey/0.log").read_text()
        assert "config/checksums/small/survey.csv: 5.png: another content than pinned" in log


def test_a_demo_whose_port_is_taken_says_so(workspace):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = workspace.root / "config" / "demo.yaml"
    text = path.read_text().replace("port: 8437", f"port: {port}").replace("scenes: 40", "scenes: 6")
    path.write_text(text.replace("max_missing: 0.05", "max_missing: 0.3"))
    server = serve_directory(workspace.root, "127.0.0.1", port)
    try:
        assert workspace.planned("--configfile=config/demo.yaml", "images")["make_demo_study"] == 1, (
            "a plan needs no port"
        )
        done = workspace.snakemake("--configfile=config/demo.yaml", "images", check=False)
    finally:
        server.shutdown()
        server.server_close()
    assert done.returncode != 0
    assert f"demo.port: {port} on 127.0.0.1 is taken" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    workspace.snakemake("--configfile=config/demo.yaml", "images")
    records = read_manifest(workspace.root / "results/demo/images/train.csv")
    assert [record.status for record in records].count("missing") == 1
