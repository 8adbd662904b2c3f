from __future__ import annotations

import hashlib
from base64 import b64encode
from pathlib import Path

import pytest

from fathomflow.disk import disk_errors, require_space
from fathomflow.errors import InputError
from fathomflow.image_bucket import put
from fathomflow.storage import BucketFile, bucket_errors, image_folder, is_bucket, open_bucket, version_of


@pytest.mark.parametrize(
    ("uri", "bucket"),
    [
        ("gs://b/x", True),
        ("s3://b", True),
        ("gs:/b", False),
        ("/gs/x", False),
        ("https://x/gs://", False),
        ("s3", False),
    ],
)
def test_buckets_are_told_from_other_places(uri, bucket):
    assert is_bucket(uri) == bucket


def test_a_folder_on_disk_stays_a_path():
    assert image_folder("data/images") == Path("data/images")


@pytest.mark.parametrize("uri", ["gs://", "s3:///", "https://x/y", "b/x"])
def test_what_is_no_bucket_is_refused(uri):
    with pytest.raises(InputError, match=r"use gs://<bucket>/<folder> or s3://<bucket>/<folder>"):
        open_bucket(uri)


class OneObject:
    """A bucket that says what it likes of the one object that it holds."""

    def __init__(self, **details):
        self.details = details
        self.content = b""

    def pipe_file(self, path, content):
        self.content = content

    def cat_file(self, path):
        return self.content

    def isfile(self, path):
        return bool(self.content)

    def info(self, path):
        return self.details


DATA = b"sea pig"
MD5 = hashlib.md5(DATA, usedforsecurity=False)


@pytest.mark.parametrize(
    "details",
    [
        {"size": 7, "ETag": f'"{MD5.hexdigest()}"'},
        {"size": 7, "md5Hash": b64encode(MD5.digest()).decode()},
        {"size": 7, "ETag": '"abc-2"'},
        {"size": 7, "ETag": f'"{"0" * 32}"', "SSEKMSKeyId": "key"},
    ],
)
def test_an_upload_that_the_bucket_confirms_has_a_version(details):
    assert put(OneObject(**details), "b/x", DATA) == version_of(details)


@pytest.mark.parametrize(
    "details", [{"size": 6, "ETag": "abc-2"}, {"size": 7, "ETag": "0" * 32}, {"size": 7, "md5Hash": "AAAA"}]
)
def test_an_upload_that_the_bucket_does_not_confirm_is_refused(details):
    with pytest.raises(InputError, match="other bytes than were sent"):
        put(OneObject(**details), "b/x", DATA)


def test_a_file_in_a_bucket_reads_like_a_path():
    files = OneObject()
    file = BucketFile(files, "b/x")
    assert not file.is_file()
    files.content = DATA
    assert file.is_file()
    assert file.read_bytes() == file.open("rb").read() == DATA
    with pytest.raises(ValueError, match="only read"):
        file.open("wb")


def test_only_what_a_service_refuses_becomes_a_message():
    with pytest.raises(InputError, match=r"gs://b/x: no such bucket or object"), bucket_errors("gs://b/x"):
        raise FileNotFoundError
    with pytest.raises(InputError, match="no permission on bucket 'b'"), bucket_errors("s3://b/x"):
        raise PermissionError
    with pytest.raises(ZeroDivisionError), bucket_errors("gs://b/x"):
        raise ZeroDivisionError


def test_disks_speak_plainly(tmp_path):
    require_space(tmp_path, -1)
    require_space(tmp_path, 1)
    with pytest.raises(InputError, match=r"1e\+09 GB are needed"):
        require_space(tmp_path, 10**18)
    with pytest.raises(InputError, match="disk quota is used up"), disk_errors(tmp_path):
        raise OSError(122, "Disk quota exceeded")
    with pytest.raises(IsADirectoryError), disk_errors(tmp_path):
        raise IsADirectoryError(21, "Is a directory")
