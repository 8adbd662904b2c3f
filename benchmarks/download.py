"""Compare ways to download images, side by side, from a local server with a real site's latency.

Each way is a process of its own, so that its CPU time and its memory are its own, and all fetch the same files. The
`plain` ways do what scripts in use do: they write what comes and check nothing. The `proven` ones decode and hash each
image as we do; only these do the same work. Rounds alternate between the ways, so that a machine that grows slower
grows slower for all; medians are reported.

    python benchmarks/download.py --images 200 --rounds 3
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "scripts"
sys.path.insert(0, str(SCRIPTS))

WIDTH, HEIGHT = 1920, 1080
WAYS = ["sequential plain", "asyncio plain", "sequential proven", "asyncio proven", "fathomflow"]


def draw(folder: Path, width: int = WIDTH, height: int = HEIGHT) -> Path:
    """Draw a frame that compresses as real ones do: about 2 MB."""
    import numpy as np
    from PIL import Image

    from fathomflow.demo_drawing import smooth_noise

    rng = np.random.default_rng(0)
    base = np.stack([smooth_noise(rng, width, height, cells, 5) * 160 + 20 for cells in (5, 6, 7)], axis=-1)
    pixels = (base + rng.normal(0, 0.7, base.shape)).clip(0, 255).astype(np.uint8)
    path = folder / "frame.png"
    Image.fromarray(pixels).save(path)
    return path


def serve(path: Path, latency_s: float) -> None:
    """Answer every request with the file after a pause; print the port first."""
    data = path.read_bytes()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            time.sleep(latency_s)
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 4096

    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


def prove(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as image:
        image.load()
        if image.size != (WIDTH, HEIGHT):
            raise SystemExit(f"{path} has another size than was served")
    hashlib.sha256(path.read_bytes()).hexdigest()


def fetch_sequentially(url: str, count: int, store: Path, *, proven: bool) -> None:
    import requests

    for number in range(count):
        path = store / f"{number}.png"
        path.write_bytes(requests.get(f"{url}/{number}", timeout=60).content)
        if proven:
            prove(path)


def fetch_in_a_gather(url: str, count: int, store: Path, *, proven: bool) -> None:
    import aiohttp

    async def one(session: aiohttp.ClientSession, number: int) -> None:
        async with session.get(f"{url}/{number}") as response:
            data = await response.read()
        path = store / f"{number}.png"
        path.write_bytes(data)
        if proven:
            await asyncio.to_thread(prove, path)

    async def everything() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            await asyncio.gather(*(one(session, number) for number in range(count)))

    asyncio.run(everything())


def fetch_with_us(url: str, count: int, store: Path, concurrency: int) -> None:
    from fathomflow.image_records import ImageEntry, take_shard
    from fathomflow.image_store import fill_store
    from fathomflow.web import Policy

    entries = [ImageEntry(number, f"{number}.png", f"{url}/{number}", WIDTH, HEIGHT) for number in range(count)]
    fill_store(
        take_shard(entries, 0, 1), store, store.parent / "learned.jsonl", policy=Policy(), concurrency=concurrency
    )


def peak_mb() -> float:
    """Return this program's largest memory so far; getrusage would count its parent's, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def run_way(way: str, url: str, count: int, store: Path, concurrency: int) -> None:
    """Fetch in this process and print what it took."""
    store.mkdir()
    started = time.perf_counter()
    if way == "fathomflow":
        fetch_with_us(url, count, store, concurrency)
    else:
        fetch = fetch_sequentially if way.startswith("sequential") else fetch_in_a_gather
        fetch(url, count, store, proven=way.endswith("proven"))
    seconds = time.perf_counter() - started
    usage = resource.getrusage(resource.RUSAGE_SELF)
    figures = {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak_mb": peak_mb()}
    print(json.dumps(figures))


def measure(arguments: argparse.Namespace) -> None:
    here = str(Path(__file__))
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        path = draw(folder)
        size = path.stat().st_size
        server = subprocess.Popen(
            [sys.executable, here, "--serve", str(path), "--latency", str(arguments.latency)],
            stdout=subprocess.PIPE,
            text=True,
        )
        url = f"http://127.0.0.1:{server.stdout.readline().strip() if server.stdout else ''}"
        try:
            found: dict[str, list[dict[str, float]]] = {way: [] for way in arguments.ways}
            for number in range(arguments.rounds):
                for way in arguments.ways:
                    store = folder / f"{number}-{way.replace(' ', '-')}"
                    command = [sys.executable, here, "--way", way, "--url", url, "--store", str(store)]
                    command += ["--images", str(arguments.images), "--concurrency", str(arguments.concurrency)]
                    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                    found[way].append(json.loads(done.stdout))
                    subprocess.run(["rm", "-r", str(store)], check=True)
                    (folder / "learned.jsonl").unlink(missing_ok=True)
        finally:
            server.kill()
            server.wait()
    print(f"{arguments.images} images of {size / 1e6:.2f} MB, {1000 * arguments.latency:.0f} ms latency", end=", ")
    print(f"median of {arguments.rounds} rounds")
    print(f"{'way':20} {'images/s':>9} {'MB/s':>7} {'CPU ms/image':>13} {'peak MB':>8}")
    rates = {}
    for way, rounds in found.items():
        middle = {key: statistics.median(figures[key] for figures in rounds) for key in rounds[0]}
        rates[way] = arguments.images / middle["seconds"]
        cpu = 1000 * middle["cpu"] / arguments.images
        print(f"{way:20} {rates[way]:9.1f} {rates[way] * size / 1e6:7.1f} {cpu:13.1f} {middle['peak_mb']:8.0f}")
    if "fathomflow" in rates:
        for way in (way for way in rates if way != "fathomflow"):
            print(f"fathomflow / {way}: {rates['fathomflow'] / rates[way]:.2f}")


def measure_rerun(arguments: argparse.Namespace) -> None:
    """Fill a store with small files, then time a run that finds all of them there."""
    from PIL import Image

    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder, count = Path(name), arguments.rerun
        (folder / "store").mkdir()
        for number in range(count):
            Image.new("L", (32, 24), number % 256).save(folder / "store" / f"{number}.png")
        rows = "".join(f"{number},{number}.png,http://127.0.0.1:9/{number},32,24\n" for number in range(count))
        (folder / "i.csv").write_text("image_id,file_name,uri,width,height\n" + rows)
        command = [sys.executable, str(SCRIPTS / "download_images.py"), "--images", str(folder / "i.csv")]
        command += ["--store", str(folder / "store"), "--manifest", str(folder / "m.csv")]
        for what in ("first look at a store without records", "rerun", "rerun with --verify full"):
            started = time.perf_counter()
            more = ["--verify", "full"] if "full" in what else []
            subprocess.run([*command, *more], check=True, capture_output=True)
            print(f"{what}, {count} files: {time.perf_counter() - started:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200, help="files per round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--latency", type=float, default=0.02, help="seconds before each answer (default: %(default)s)")
    parser.add_argument("--concurrency", type=int, default=32, help="our downloads at once (default: %(default)s)")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="default: all")
    parser.add_argument("--rerun", type=int, help="instead: time reruns over a complete store of so many small files")
    parser.add_argument("--folder", type=Path, help="where to write (default: the system's temporary folder)")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--store", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        threading.stack_size(256 * 1024)
        serve(arguments.serve, arguments.latency)
    elif arguments.way:
        run_way(arguments.way, arguments.url, arguments.images, arguments.store, arguments.concurrency)
    elif arguments.rerun:
        measure_rerun(arguments)
    else:
        measure(arguments)


if __name__ == "__main__":
    main()
