"""Download one large object from a bucket, continuing what an earlier run left."""

from __future__ import annotations

import json
import os
from pathlib import Path

from fathomflow.disk import require_space
from fathomflow.files import write_text
from fathomflow.program import progress
from fathomflow.storage import bucket_errors, open_bucket, version_of
from fathomflow.web import AttemptError, Policy, with_retries

#: Bytes asked for at once.
PIECE = 1 << 25


def download_from_bucket(uri: str, folder: Path, policy: Policy) -> Path:
    """Download ``gs://`` or ``s3://`` into `folder`, piece by piece.

    Raises
    ------
    InputError
        No such object, no permission, no credentials, no connection, or not enough disk space.
    """
    files, path = open_bucket(uri)
    content, note = folder / "content", folder / "content.json"
    with bucket_errors(uri):
        details = files.info(path)
        size = int(details["size"])
        version = json.dumps([uri, version_of(details), size])
        start = content.stat().st_size if content.is_file() and note.is_file() and note.read_text() == version else 0
        require_space(folder, size - start)
        content.touch()
        with (
            content.open("r+b") as handle,
            progress(total=size, initial=start, description=f"fetching {uri}", unit="B", scale=True) as bar,
        ):
            handle.truncate(start)
            handle.seek(start)
            write_text(note, version)
            while start < size:
                end = min(start + PIECE, size)

                def piece(start: int = start, end: int = end) -> bytes:
                    data: bytes = files.cat_file(path, start=start, end=end)
                    if len(data) != end - start:
                        raise AttemptError("the bucket sent another part than asked for")
                    return data

                handle.write(with_retries(piece, policy))
                handle.flush()
                bar.update(end - start)
                start = end
            os.fsync(handle.fileno())
    return content
