"""Download from Google Drive, whose quota and permission pages look like files to the unwary."""

from __future__ import annotations

from pathlib import Path

import gdown
import requests
from gdown.exceptions import DownloadError, FileURLRetrievalError

from fathomflow.disk import require_space
from fathomflow.errors import InputError
from fathomflow.program import progress
from fathomflow.web import Policy, describe


def download_from_drive(uri: str, folder: Path, policy: Policy) -> Path:
    """Download ``gdrive://<id>`` into `folder` with gdown, which continues what an earlier run left there.

    Raises
    ------
    InputError
        Drive gives a page instead of the file (quota, permission), no connection, or not enough disk space.
    """
    identifier = uri.removeprefix("gdrive://").strip("/")
    by_hand = "run again tomorrow, or download it in a browser and name its path as the checkpoint's uri"
    target = folder / "content"
    bar = None
    try:

        def count(done: int, total: int | None) -> None:
            nonlocal bar
            if bar is None:
                require_space(folder, (total or 0) - done)
                bar = progress(total=total or 0, description=f"fetching {uri}", unit="B", scale=True)
            bar.update(done - bar.n)

        gdown.download(
            id=identifier,
            output=str(target),
            quiet=True,
            use_cookies=False,
            resume=True,
            timeout=policy.timeout_s,
            retries=policy.attempts - 1,
            progress=count,
        )
    except FileURLRetrievalError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{uri}: Google Drive does not hand the file out ({reason}); {by_hand}") from None
    except requests.RequestException as error:
        raise InputError(f"{uri}: {describe(error, policy)}; run again, what came is kept and continued") from None
    except DownloadError as error:
        raise InputError(f"{uri}: {error}; run again, what came is kept and continued") from None
    finally:
        if bar is not None:
            bar.close()
    return target
