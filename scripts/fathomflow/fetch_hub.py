"""Download from the Hugging Face Hub."""

from __future__ import annotations

import re
from pathlib import Path

from fathomflow.disk import require_space
from fathomflow.errors import InputError

_URI = re.compile(r"hf://(?P<repo>[^/@]+/[^/@]+)/(?P<file>[^@]+)(@(?P<revision>.+))?")


def download_from_hub(uri: str, folder: Path) -> Path:
    """Download ``hf://<owner>/<repository>/<file>@<revision>`` into `folder`; without a revision it is ``main``.

    Raises
    ------
    InputError
        No such repository, file or revision, no permission, no connection, or not enough disk space.
    """
    import httpx
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    parts = _URI.fullmatch(uri)
    if parts is None:
        raise InputError(f"{uri}: not of the form hf://<owner>/<repository>/<file>@<revision>; correct it")
    repo, file, revision = parts["repo"], parts["file"], parts["revision"]
    try:
        size = get_hf_file_metadata(hf_hub_url(repo, file, revision=revision)).size
        require_space(folder, size or 0)
        # Into this folder and not the shared cache: a checkpoint would stand there a second time.
        return Path(hf_hub_download(repo, file, revision=revision, local_dir=folder))
    except LocalEntryNotFoundError as error:
        raise InputError(f"{uri}: no connection to the Hub ({_first_line(error)}); run again") from None
    except (HfHubHTTPError, HFValidationError) as error:
        raise InputError(
            f"{uri}: {_first_line(error)}; check owner, repository, file and revision, and log in (HF_TOKEN) where "
            "it is not public"
        ) from None
    except httpx.HTTPError as error:
        raise InputError(f"{uri}: no connection to the Hub ({type(error).__name__}); run again") from None


def _first_line(error: Exception) -> str:
    text = [line for line in str(error).splitlines() if line.strip()]
    return text[0].strip().rstrip(".") if text else type(error).__name__
