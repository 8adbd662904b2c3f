"""Images and checkpoints in buckets: moto's server for S3, a small server of our own for Google Cloud Storage."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from conftest import ROOT
from fathomflow.image_records import ImageEntry, read_manifest
from faulty_server import html, serve, serving, status
from gcs_server import serving_gcs
from images import entries_csv, entry, image_bytes
from prediction_study import make_study

DATA = {i: image_bytes(i) for i in range(1, 13)}
KEYS = {"aws_access_key_id": "x", "aws_secret_access_key": "y"}
SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass
class Bucket:
    """A bucket of either kind, seen from both sides."""

    uri: str
    environment: dict[str, str]
    client: Any

    def objects(self) -> dict[str, bytes]:
        if self.uri.startswith("gs"):
            return dict(self.client.buckets["study"])
        found = self.client.list_objects_v2(Bucket="study").get("Contents", [])
        return {o["Key"]: self.client.get_object(Bucket="study", Key=o["Key"])["Body"].read() for o in found}

    def put(self, key: str, data: bytes) -> None:
        if self.uri.startswith("gs"):
            self.client.buckets["study"][key] = data
        else:
            self.client.put_object(Bucket="study", Key=key, Body=data)

    def times(self) -> dict[str, Any]:
        """Return what changes when an object is written again."""
        if self.uri.startswith("gs"):
            return {"uploaded": self.client.count["uploaded"]}
        return {o["Key"]: o["LastModified"] for o in self.client.list_objects_v2(Bucket="study").get("Contents", [])}


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(params=["gs", "s3"])
def bucket(request, moto):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "GOOGLE_", "STORAGE_"))}
    if request.param == "gs":
        with serving_gcs("study") as server:
            yield Bucket(
                "gs://study/train",
                inherited | {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{server.server_port}"},
                server,
            )
        return
    client = boto3.client("s3", endpoint_url=moto, region_name="us-east-1", **KEYS)
    client.create_bucket(Bucket="study")
    yield Bucket("s3://study/train", inherited | SECRETS | {"AWS_ENDPOINT_URL": moto}, client)
    for key in client.list_objects_v2(Bucket="study").get("Contents", []):
        client.delete_object(Bucket="study", Key=key["Key"])
    client.delete_bucket(Bucket="study")


def run(name, *arguments, environment):
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert SECRETS["AWS_SECRET_ACCESS_KEY"] not in done.stderr + done.stdout
    return done


def upload(tmp_path, bucket, *options):
    arguments = ["--images", tmp_path / "i.csv", "--store", bucket.uri, "--manifest", tmp_path / "m.csv"]
    return run("upload_images", *arguments, "--attempts", 2, *options, environment=bucket.environment)


def test_images_go_from_their_server_to_the_bucket_once(tmp_path, bucket):
    scripts = {f"/{i}": [serve(data)] for i, data in DATA.items()}
    scripts |= {"/4": [status(404)], "/5": [html()], "/6": [status(500)]}
    whole = {f"train/{i}.png": data for i, data in DATA.items() if i not in (4, 5, 6)}
    with serving(scripts) as server:
        (tmp_path / "i.csv").write_text(entries_csv([entry(i, server.url(f"/{i}")) for i in DATA]))
        done = upload(tmp_path, bucket)
        assert done.returncode == 0, done.stderr
        assert done.stderr.splitlines()[-1].startswith("12 images: 9 ok, 1 missing, 1 corrupt, 1 failed")
        assert bucket.objects() == whole
        records = read_manifest(tmp_path / "m.csv")
        for record in records:
            if record.status == "ok":
                data = DATA[record.image_id]
                assert record.uri == f"{bucket.uri}/{record.image_id}.png"
                assert (record.bytes, record.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        before = bucket.times()
        server.asked.clear()
        done = upload(tmp_path, bucket)
        assert bucket.times() == before, "nothing is uploaded again"
        assert set(server.asked) == {"/5", "/6"}
        assert read_manifest(tmp_path / "m.csv") == records
        # Without what earlier runs learned, what is there is read once and taken.
        for path in tmp_path.glob(".m.*"):
            path.unlink()
        upload(tmp_path, bucket)
        assert bucket.times() == before
        assert read_manifest(tmp_path / "m.csv") == records
        # A changed object is noticed by its checksum, and replaced.
        bucket.put("train/7.png", image_bytes(99))
        upload(tmp_path, bucket)
        assert bucket.objects()["train/7.png"] in (DATA[7], image_bytes(99))
        done = run(
            *("gather_images", "--images", tmp_path / "i.csv", "--shards", tmp_path / "m.csv"),
            *("--manifest", tmp_path / "all.csv", "--max-missing", 0.3),
            environment=bucket.environment,
        )
        assert done.returncode == 0, done.stderr


def test_images_go_from_a_folder_to_the_bucket_and_are_checked_there(tmp_path, bucket):
    (tmp_path / "images").mkdir()
    for i, data in DATA.items():
        if i != 3:
            (tmp_path / "images" / f"{i}.png").write_bytes(data)
    (tmp_path / "i.csv").write_text(entries_csv([entry(i, "") for i in DATA]))
    done = upload(tmp_path, bucket, "--source", tmp_path / "images")
    assert done.returncode == 0, done.stderr
    assert [r.image_id for r in read_manifest(tmp_path / "m.csv") if r.status != "ok"] == [3]
    before = bucket.times()
    upload(tmp_path, bucket, "--source", tmp_path / "images")
    assert bucket.times() == before
    (tmp_path / "images" / "8.png").write_bytes(image_bytes(88))
    for path in tmp_path.glob(".m.*"):
        path.unlink()
    upload(tmp_path, bucket, "--source", tmp_path / "images")
    assert bucket.objects()["train/8.png"] == image_bytes(88), "a changed source replaces the object"

    done = run(
        *("download_images", "--images", tmp_path / "i.csv", "--folder", bucket.uri, "--manifest", tmp_path / "f.csv"),
        environment=bucket.environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1].startswith("12 images: 11 ok, 1 missing, 0 corrupt, 0 failed")


def test_a_checkpoint_comes_from_a_bucket_and_is_continued(tmp_path, bucket):
    data = bytes(range(256)) * 1000
    bucket.put("models/m.ckpt", data)
    uri = bucket.uri.replace("train", "models/m.ckpt")
    arguments = ["--uri", uri, "--store", tmp_path / "m.ckpt", "--record", tmp_path / "r.json"]
    done = run("fetch_checkpoint", *arguments, environment=bucket.environment)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "m.ckpt").read_bytes() == data
    assert json.loads((tmp_path / "r.json").read_text())["sha256"] == hashlib.sha256(data).hexdigest()
    (tmp_path / "m.ckpt").unlink()
    done = run("fetch_checkpoint", *arguments, "--sha256", "0" * 64, environment=bucket.environment)
    assert done.returncode == 2
    assert "sha256 expected 000" in done.stderr
    arguments[1] += ".none"
    done = run("fetch_checkpoint", *arguments, environment=bucket.environment)
    assert done.returncode == 2
    assert "no such bucket or object" in done.stderr


def test_access_is_checked_in_seconds_and_leaves_nothing(bucket):
    started = time.monotonic()
    done = run("check_storage", bucket.uri, environment=bucket.environment)
    assert done.returncode == 0, done.stderr
    assert f"{bucket.uri}: can be listed, written, read, cleaned up in" in done.stderr
    assert time.monotonic() - started < 10
    assert bucket.objects() == {}


def one_error(done):
    assert done.returncode == 2, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    return errors[0]


def test_what_is_wrong_with_access_is_said(bucket):
    error = one_error(run("check_storage", bucket.uri.replace("study", "absent"), environment=bucket.environment))
    assert "make the bucket 'absent'" in error
    assert "use gs://<bucket>/<folder>" in one_error(
        run("check_storage", "https://x/y", environment=bucket.environment)
    )
    if bucket.uri.startswith("gs"):
        bucket.client.allowed = {"GET"}
        error = one_error(run("check_storage", bucket.uri, environment=bucket.environment))
        assert "(writing): no permission on bucket 'study'" in error
        assert run("check_storage", bucket.uri, "--read-only", environment=bucket.environment).returncode == 0


@pytest.mark.parametrize("uri", ["gs://study/x", "s3://study/x"])
def test_missing_credentials_are_said(uri, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "GOOGLE_", "STORAGE_"))}
    environment |= {"HOME": str(tmp_path), "NO_GCE_CHECK": "true", "AWS_EC2_METADATA_DISABLED": "true"}
    environment |= {"AWS_ENDPOINT_URL": nowhere, "AWS_DEFAULT_REGION": "us-east-1"}
    assert "no credentials; " in one_error(run("check_storage", uri, environment=environment))


def test_inference_from_the_bucket_is_inference_from_disk(tmp_path, bucket, monkeypatch):
    study = make_study(tmp_path / "study", images=4, boxes=9)
    study.predict("disk")
    manifest = read_manifest(tmp_path / "study" / "manifest.csv")
    (tmp_path / "i.csv").write_text(
        entries_csv([ImageEntry(r.image_id, r.file_name, r.uri, r.width, r.height) for r in manifest])
    )
    assert upload(tmp_path, bucket, "--source", tmp_path / "study" / "images").returncode == 0
    assert [r.sha256 for r in read_manifest(tmp_path / "m.csv")] == [r.sha256 for r in manifest]
    for path in (tmp_path / "study" / "images").iterdir():
        path.unlink()
    for name in ("AWS_ENDPOINT_URL", "STORAGE_EMULATOR_HOST", *SECRETS):
        if name in bucket.environment:
            monkeypatch.setenv(name, bucket.environment[name])
    options = ["--images", bucket.uri, "--manifest", str(tmp_path / "m.csv"), "--chunks", str(tmp_path / "chunks")]
    study.predict("bucket", *options)
    assert study.outputs("bucket") == study.outputs("disk")
    run(
        *("crop_regions", "--regions", tmp_path / "study" / "regions.csv", "--manifest", tmp_path / "m.csv"),
        *("--images", bucket.uri, "--crops", tmp_path / "c.parquet", "--frames", tmp_path / "f.parquet"),
        environment=bucket.environment,
    )
    assert (tmp_path / "c.parquet").stat().st_size > 1000
