"""Say as JSON what this node is like: GPU, driver, torch, temporary folder, which hosts it reaches."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor


def reached(url: str) -> str:
    """Return an empty text if anything answers there, else what went wrong."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=15).close()  # noqa: S310 - ours
    except urllib.error.HTTPError:
        return ""
    except OSError as error:
        return str(getattr(error, "reason", error))
    return ""


def gpu() -> str:
    """Return the names and driver versions of the GPUs, or an empty text."""
    if shutil.which("nvidia-smi") is None:
        return ""
    command = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def torch_state() -> dict[str, object]:
    """Return torch's version, the CUDA that it was built for, and whether it can compute on a GPU."""
    if importlib.util.find_spec("torch") is None:
        return {}
    import torch

    available = torch.cuda.is_available()
    if available:
        # Kernels for this GPU must be in the build, too.
        available = bool((torch.ones(8, device="cuda") + 1).sum().item() == 16)
    return {"version": torch.__version__, "cuda": torch.version.cuda, "available": available}


def main(arguments: argparse.Namespace) -> None:
    with ThreadPoolExecutor() as pool:
        hosts = dict(zip(arguments.urls, pool.map(reached, arguments.urls), strict=True))
    folder = os.environ.get("TMPDIR", "")
    json.dump(
        {
            "node": os.environ.get("SLURMD_NODENAME", socket.gethostname()),
            "python": sys.version.split()[0],
            "gpu": gpu(),
            "torch": torch_state(),
            "tmpdir": folder,
            "tmpdir_free_gb": round(shutil.disk_usage(folder).free / 1e9) if os.path.isdir(folder) else None,  # noqa: PTH112
            "hosts": hosts,
        },
        sys.stdout,
    )


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("urls", nargs="*", help="what the node should reach")
    return result


if __name__ == "__main__":
    main(parser().parse_args())
