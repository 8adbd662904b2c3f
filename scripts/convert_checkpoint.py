"""Convert a Lightning checkpoint into safe weights (model.safetensors) and a description of them (model.json)."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from fathomflow.architecture import read_encoder
from fathomflow.conversion import convert_checkpoint, read_source
from fathomflow.program import run


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--checkpoint", type=Path, required=True, help="the Lightning checkpoint; nothing in it is run")
    result.add_argument(
        "--record", type=Path, required=True, help="its uri and sha256, as fetch_checkpoint.py records them"
    )
    result.add_argument("--encoder-object", type=Path, help="Dinov2 config.json of the object encoder [DINOv2-large]")
    result.add_argument(
        "--encoder-context", type=Path, help="Dinov2 config.json of the context encoders [DINOv2-large]"
    )
    result.add_argument(
        "--precision", choices=("fp32", "fp16"), default="fp32", help="number format the weights are stored in [fp32]"
    )
    result.add_argument("--weights", type=Path, required=True, help="model.safetensors to write")
    result.add_argument("--description", type=Path, required=True, help="model.json to write")
    return result


def main(arguments: argparse.Namespace) -> str:
    result = convert_checkpoint(
        arguments.checkpoint,
        read_source(arguments.record),
        object_encoder=read_encoder(arguments.encoder_object),
        context_encoder=read_encoder(arguments.encoder_context),
        weights=arguments.weights,
        description=arguments.description,
        precision=arguments.precision,
    )
    left_out = ", ".join(f"{count} of {name}" for name, count in result.dropped.items())
    logging.info("tensors that inference does not need: %s", left_out or "none")
    millions = result.weights["parameters"] / 1e6
    return f"{len(result.categories)} categories, {millions:.1f} million parameters in {result.precision},"


if __name__ == "__main__":
    run(main, parser())
