"""Compare the plain way to predict with ours, in one process, on drawn images and random weights.

The plain path is what a reader of the paper would write: every box decodes its image, batches of two, separate
projections, eager attention, fp32. Ours is what the workflow runs, from image files to results on disk. Rounds of the
two alternate, so that a machine that grows slower grows slower for both; the median of the rounds' ratios is reported,
with the largest difference between the two in probability, and the rate of the device alone when crops are ready.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from fathomflow.architecture import Architecture, Encoder
from fathomflow.batches import BatchRunner
from fathomflow.chunk_store import ChunkStore
from fathomflow.chunks import ImageRegions, cut_chunks
from fathomflow.crops import crop_rectangles, is_empty
from fathomflow.files import write_text
from fathomflow.folding import FoldedMceam
from fathomflow.image_records import ImageRecord
from fathomflow.loading import load_chunks
from fathomflow.mceam import IMAGENET_MEAN, IMAGENET_STD, Mceam
from fathomflow.precision import PRECISIONS, choose_device, choose_precision
from fathomflow.predicting import predict_chunks
from fathomflow.predictions import softmax
from fathomflow.random_checkpoint import random_state
from fathomflow.safe_weights import StoredWeights, read_weights, write_weights

SIZES = {
    "tiny": Encoder(hidden_size=32, layers=2, heads=2),
    "small": Encoder(hidden_size=384, layers=12, heads=6),
    "large": Encoder(),
}
CLASSES = 79
#: Images per box, as in FathomNet 2025's test split (325 images, 788 boxes).
IMAGES_PER_BOX = 0.41
FRAME = (1920, 1080)


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--size", choices=tuple(SIZES), default="tiny", help="of the encoders [tiny]")
    result.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to compute [auto]")
    result.add_argument("--precision", choices=("auto", *PRECISIONS), default="auto", help="of ours [auto]")
    result.add_argument("--n", type=int, default=96, help="boxes [96]")
    result.add_argument("--images", type=int, help="images they lie on [0.41 per box]")
    result.add_argument("--rounds", type=int, default=3, help="rounds of plain and ours [3]")
    result.add_argument("--batch-size", type=int, help="boxes per batch of ours [auto]")
    result.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads of the CPU [all cores]")
    result.add_argument("--without-plain", action="store_true", help="measure ours alone")
    result.add_argument("--folder", type=Path, help="keep images and weights here for the next call [temporary]")
    result.add_argument("--json", type=Path, help="write the figures here too")
    return result


def draw_images(folder: Path, boxes: int, images: int) -> list[ImageRegions]:
    """Draw frames of 1080p whose PNG files have about 2 MB, and boxes on them."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)
    owners = np.sort(np.concatenate([np.arange(images), random.integers(0, images, boxes - images)]))
    result = []
    for number in range(images):
        path = folder / f"{number}.png"
        if not path.is_file():
            draw_frame(number).save(path)
        own = np.flatnonzero(owners == number)
        # As FathomNet's boxes: half of them within 36 and 100 pixels, a few of hundreds.
        sides = np.clip(
            60 * np.exp(random.normal(0, 0.8, (len(own), 1)) + random.normal(0, 0.3, (len(own), 2))), 8, 900
        )
        corners = random.uniform(0, 1, (len(own), 2)) * (np.array(FRAME) - sides)
        result.append(
            ImageRegions(
                image_id=number,
                file_name=path.name,
                size=FRAME,
                annotation_ids=tuple(own.tolist()),
                boxes=tuple((*corner, *side) for corner, side in zip(corners.tolist(), sides.tolist(), strict=True)),
            )
        )
    return result


def draw_frame(seed: int) -> Image.Image:
    """Draw a frame of 1080p: smooth water above, textured ground below, traces of video compression; 2 MB as PNG."""
    random = np.random.default_rng(seed)
    width, height = FRAME
    water = Image.fromarray(random.integers(0, 120, (9, 16, 3), dtype=np.uint8)).resize(FRAME, Image.BICUBIC)
    texture = random.normal(0, 10, (height, width, 3))
    texture[: height // 2] = 0
    buffer = io.BytesIO()
    Image.fromarray((np.asarray(water) + texture).clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=88)
    return Image.open(buffer).convert("RGB")


def plain_predict(model: Mceam, images: list[ImageRegions], folder: Path, device: torch.device) -> np.ndarray:
    """Predict box by box; return probabilities (boxes, classes) in the order of annotation ids."""
    architecture_scales = [int(key.split("_")[1]) for key in model.keys]
    work = [(image, box) for image in images for box in image.boxes]
    mean, std = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)
    logits = []
    for start in range(0, len(work), 2):
        batch = []
        for image, box in work[start : start + 2]:
            pixels = np.asarray(Image.open(folder / image.file_name).convert("RGB"))
            for rectangle in crop_rectangles(box, image.size, architecture_scales):
                left, top, right, bottom = rectangle
                piece = pixels[top:bottom, left:right] if not is_empty(rectangle) else np.zeros((256, 256, 3), np.uint8)
                resized = np.asarray(Image.fromarray(piece).resize((256, 256), Image.BICUBIC))
                batch.append(((resized.astype(np.float32) / 255 - mean) / std).transpose(2, 0, 1))
        crops = torch.from_numpy(np.stack(batch)).reshape(-1, 1 + len(architecture_scales), 3, 256, 256).to(device)
        with torch.inference_mode():
            logits.append(model(crops)[0].cpu().numpy())
    return softmax(np.concatenate(logits))


def main() -> None:
    arguments = parser().parse_args()
    torch.set_num_threads(arguments.threads)
    device = choose_device() if arguments.device == "auto" else torch.device(arguments.device)
    precision = choose_precision(arguments.precision, device)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        figures = measure(arguments, folder, device, precision)
    if arguments.json:
        write_text(arguments.json, json.dumps(figures, indent=2) + "\n")
    for name, value in figures.items():
        print(f"{name:38} {value:.4g}" if isinstance(value, float) else f"{name:38} {value}")


def measure(arguments: argparse.Namespace, folder: Path, device: torch.device, precision: str) -> dict[str, Any]:
    encoder = SIZES[arguments.size]
    architecture = Architecture(encoder, encoder, scales=(3, 5, -1), feature_dim=encoder.hidden_size)
    count = arguments.images or max(1, round(IMAGES_PER_BOX * arguments.n))
    images = draw_images(folder / "images", arguments.n, count)
    weights = folder / f"{arguments.size}.safetensors"
    if not weights.is_file():
        state = random_state(architecture, CLASSES, seed=1)
        shapes = {name: weight.shape for name, weight in state.items()}
        write_weights(weights, shapes, state.__getitem__, dtype=torch.float32, metadata={})
        del state
    started = time.perf_counter()
    ours = FoldedMceam(
        architecture, CLASSES, lambda prefix: StoredWeights(weights, prefix), device=device, dtype=PRECISIONS[precision]
    )
    figures: dict[str, Any] = {
        "size": arguments.size,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else f"cpu, {arguments.threads} threads",
        "precision": precision,
        "boxes": arguments.n,
        "images": count,
        "mean PNG size, MB": sum((folder / "images" / i.file_name).stat().st_size for i in images) / count / 1e6,
        "load, s": time.perf_counter() - started,
    }
    figures |= measure_data_path(images, folder, architecture)
    plain = None
    if not arguments.without_plain:
        plain = Mceam(architecture, CLASSES, attention="eager").eval()
        plain.load_state_dict(read_weights(weights, ""))
        plain = plain.to(device)
    rounds: list[tuple[tuple[float, float], tuple[float, float]]] = []
    found: dict[str, np.ndarray] = {}
    for number in range(arguments.rounds):
        took_plain = float("nan"), float("nan")
        if plain is not None:
            took_plain = clocked(
                lambda: found.update(plain=plain_predict(plain, images, folder / "images", device)), device
            )
        took_ours = clocked(lambda: found.update(ours=our_predict(ours, images, folder, arguments)), device)
        rounds.append((took_plain, took_ours))
        print(f"round {number + 1}: plain {took_plain[0]:.2f} s, ours {took_ours[0]:.2f} s", file=sys.stderr)
    median = statistics.median(took for _, (took, _) in rounds)
    figures |= {
        "ours, s a box": median / arguments.n,
        "ours, CPU s a box": statistics.median(used for _, (_, used) in rounds) / arguments.n,
        "ours, boxes/s": arguments.n / median,
    }
    if plain is not None:
        difference = np.abs(found["plain"] - found["ours"])
        top = np.sort(found["plain"], axis=1)
        certain = top[:, -1] - top[:, -2] > difference.max()
        same = found["plain"].argmax(1) == found["ours"].argmax(1)
        figures |= {
            "plain, s a box": statistics.median(took for (took, _), _ in rounds) / arguments.n,
            "plain, CPU s a box": statistics.median(used for (_, used), _ in rounds) / arguments.n,
            "plain / ours, median of rounds": statistics.median(a / b for (a, _), (b, _) in rounds),
            "plain / ours in CPU time": statistics.median(a / b for (_, a), (_, b) in rounds),
            "largest difference in probability": float(difference.max()),
            "same category, boxes": f"{same.sum()} of {len(same)}",
            "same category, clear boxes": f"{(same & certain).sum()} of {certain.sum()}",
        }
    ceiling = measure_device(ours, images, folder, arguments, device)
    return figures | {"device alone, boxes/s": ceiling, "ours / device alone": arguments.n / median / ceiling}


def clocked(work: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Return the seconds that work takes, by the clock and of the processor."""
    started, used = time.perf_counter(), time.process_time()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started, time.process_time() - used


def our_predict(
    model: FoldedMceam, images: list[ImageRegions], folder: Path, arguments: argparse.Namespace
) -> np.ndarray:
    manifest = {
        image.image_id: ImageRecord(image.image_id, image.file_name, "", "ok", 0, "", *image.size, "RGB", "")
        for image in images
    }
    with tempfile.TemporaryDirectory() as chunks:
        outcome = predict_chunks(
            cut_chunks(images),
            ChunkStore(Path(chunks), "benchmark"),
            manifest,
            folder / "images",
            {},
            lambda stop: BatchRunner(model, arguments.batch_size, stop, threads=arguments.threads),
            threads=arguments.threads,
        )
    return softmax(np.concatenate([outcome.results[image.image_id].logits for image in images]))


def measure_data_path(images: list[ImageRegions], folder: Path, architecture: Architecture) -> dict[str, float]:
    """Time the data path alone, in one thread: CPU time a box."""
    boxes = sum(len(image.boxes) for image in images)
    work = [(chunk, frozenset(image.image_id for image in chunk.images)) for chunk in cut_chunks(images)]
    before = time.process_time()
    for _ in load_chunks(work, folder / "images", architecture, threads=1):
        pass
    return {"data path, CPU ms a box": (time.process_time() - before) / boxes * 1000}


def measure_device(
    model: FoldedMceam, images: list[ImageRegions], folder: Path, arguments: argparse.Namespace, device: torch.device
) -> float:
    """Measure the device alone: boxes a second with every crop ready in memory, some chunks over and over."""
    chunks = cut_chunks(images)[: 8 if device.type == "cuda" else 4]
    work = [(chunk, frozenset(image.image_id for image in chunk.images)) for chunk in chunks]
    ready = list(load_chunks(work, folder / "images", model.architecture, threads=arguments.threads))
    runner = BatchRunner(model, arguments.batch_size, lambda: False, threads=arguments.threads)
    repeats = 10 if device.type == "cuda" else 1

    def run() -> None:
        for computed in [runner.launch(loaded) for _ in range(repeats) for loaded in ready]:
            computed.take()

    if device.type == "cuda":
        run()
    return repeats * sum(chunk.boxes for chunk in chunks) / clocked(run, device)[0]


if __name__ == "__main__":
    main()
