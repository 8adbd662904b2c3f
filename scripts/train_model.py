"""Train the winner's architecture on a split, all of it or all but one fold; write a checkpoint in its format."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import torch

from fathomflow.architecture import Architecture, Encoder, read_encoder
from fathomflow.augmentation import Augmentation
from fathomflow.chunk_store import fingerprint
from fathomflow.conversion import convert_checkpoint
from fathomflow.errors import InputError
from fathomflow.examples import held_out_regions
from fathomflow.files import sha256_of, write_text
from fathomflow.loss_plot import plot_losses
from fathomflow.program import run
from fathomflow.storage import image_folder
from fathomflow.tables import write_table
from fathomflow.trainable import TrainableMceam, initialise, load_pretrained
from fathomflow.trained_checkpoint import write_trained_checkpoint
from fathomflow.training import Recipe, code_hashes, train
from fathomflow.training_data import CropDataset, read_examples, read_targets


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    data = result.add_argument_group("what to learn from")
    data.add_argument(
        "--examples", type=Path, required=True, help="boxes with folds and labels, of assign_folds.py (CSV)"
    )
    data.add_argument("--regions", type=Path, required=True, help="the split's boxes (CSV)")
    data.add_argument("--manifest", type=Path, required=True, help="the split's images (CSV)")
    data.add_argument("--images", required=True, help="folder or bucket that holds them")
    data.add_argument("--categories", type=Path, required=True, help="the split's categories (CSV)")
    data.add_argument("--lineages", type=Path, required=True, help="their lineages (CSV)")
    data.add_argument(
        "--fold", default="all", help="number of the fold to hold out, or all: learn from everything [all]"
    )
    data.add_argument("--split", default="", help="name of the split, for the note of what the model has seen")
    data.add_argument("--labels", default="published", help="which labels these are, for the same note [published]")
    model = result.add_argument_group("the model")
    model.add_argument("--hidden", type=int, default=1024, help="features of a token in the encoders [1024]")
    model.add_argument("--layers", type=int, default=24, help="layers of an encoder [24]")
    model.add_argument("--heads", type=int, default=16, help="attention heads of an encoder [16]")
    model.add_argument("--patch", type=int, default=14, help="side of a patch in pixels [14]")
    model.add_argument("--features", type=int, default=1024, help="features of the joined vectors [1024]")
    model.add_argument("--attention-layers", type=int, default=4, help="layers of a context's attention [4]")
    model.add_argument("--scales", type=int, nargs="+", default=[3, 5, -1], help="contexts; -1: whole image [3 5 -1]")
    model.add_argument("--side", type=int, default=256, help="side of a resized crop in pixels [256]")
    model.add_argument(
        "--pretrained", type=Path, help="folder of a Dinov2 from which the encoders start [random weights]"
    )
    how = result.add_argument_group("how to learn")
    how.add_argument("--epochs", type=int, default=60, help="times that every box is seen [60]")
    how.add_argument("--batch-size", type=int, default=16, help="boxes per batch [16]")
    how.add_argument("--accumulate", type=int, default=1, help="batches per step [1]")
    how.add_argument("--learning-rate", type=float, default=1e-5, help="of AdamW [1e-5]")
    how.add_argument("--weight-decay", type=float, default=1e-3, help="of AdamW [1e-3]")
    how.add_argument("--warmup-epochs", type=float, default=5, help="epochs of a climbing learning rate [5]")
    how.add_argument("--step-epochs", type=int, default=30, help="epochs between its falls [30]")
    how.add_argument("--step-factor", type=float, default=0.5, help="factor by which it falls [0.5]")
    how.add_argument("--rank-weight", type=float, default=1, help="weight of the loss over the ranks [1]")
    how.add_argument("--dropout", type=float, default=0.1, help="share of the heads' features that are dropped [0.1]")
    how.add_argument(
        "--augmentation",
        type=float,
        nargs=5,
        metavar=("FLIP", "ROTATION", "SCALE", "SHIFT", "COLOUR"),
        help="how far views may differ [crops as they are]",
    )
    how.add_argument("--seed", type=int, default=1, help="of weights, order, views and dropout [1]")
    how.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="threads [all cores]")
    output = result.add_argument_group("what to write")
    output.add_argument("--state", type=Path, required=True, help="folder that keeps the state of an interrupted run")
    output.add_argument("--checkpoint", type=Path, required=True, help="Lightning checkpoint to write")
    output.add_argument("--weights", type=Path, required=True, help="model.safetensors to write")
    output.add_argument("--description", type=Path, required=True, help="model.json to write")
    output.add_argument("--encoder", type=Path, required=True, help="the encoders' config.json to write")
    output.add_argument("--held-out", type=Path, required=True, help="regions of the held-out fold to write (CSV)")
    output.add_argument("--log", type=Path, required=True, help="losses per epoch to write (CSV)")
    output.add_argument("--plot", type=Path, required=True, help="picture of the losses to write (SVG)")
    return result


def main(arguments: argparse.Namespace) -> str:
    fold = None if arguments.fold == "all" else int(arguments.fold)
    examples = read_examples(arguments.examples, arguments.regions, arguments.manifest)
    learnt = [example for example in examples if example.fold != fold]
    held_out = [example for example in examples if example.fold == fold]
    if not learnt:
        raise InputError(f"{arguments.examples}: no box to learn from with fold {arguments.fold} held out")
    targets = read_targets(arguments.categories, arguments.lineages)
    architecture, recipe = read_architecture(arguments), read_recipe(arguments)
    inputs = [arguments.examples, arguments.regions, arguments.manifest, arguments.categories, arguments.lineages]
    key = fingerprint(
        {
            "architecture": asdict(architecture),
            "recipe": asdict(recipe),
            "dropout": arguments.dropout,
            "fold": arguments.fold,
            "pretrained": str(arguments.pretrained),
            "inputs": [sha256_of(path) for path in inputs],
            "code": code_hashes(),
        }
    )
    torch.set_num_threads(arguments.threads)
    model = TrainableMceam(architecture, len(targets.categories), targets.rank_classes, arguments.dropout)
    initialise(model, recipe.seed)
    if arguments.pretrained is not None:
        load_pretrained(model, arguments.pretrained)
    logging.info("%d boxes to learn from, %d held out", len(learnt), len(held_out))
    folder = image_folder(arguments.images)
    datasets = [
        CropDataset(boxes, targets.encode([box.label for box in boxes], str(arguments.examples)), folder, architecture)
        for boxes in (learnt, held_out)
    ]
    state = arguments.state / key
    log = train(model, recipe, datasets[0], datasets[1], state, threads=arguments.threads)
    seen = {"split": arguments.split, "labels": arguments.labels, "boxes": len(learnt), "held_out_fold": fold}
    write_trained_checkpoint(arguments.checkpoint, arguments.encoder, model, architecture, targets, recipe, seen)
    convert_checkpoint(
        arguments.checkpoint,
        {"uri": arguments.checkpoint.as_posix(), "sha256": sha256_of(arguments.checkpoint)},
        object_encoder=read_encoder(arguments.encoder),
        context_encoder=read_encoder(arguments.encoder),
        weights=arguments.weights,
        description=arguments.description,
        precision="fp32",
    )
    write_table(
        held_out_regions(arguments.regions, arguments.examples, fold),
        arguments.held_out,
        key="annotation_id",
        exact=True,
    )
    write_table(log, arguments.log, key=None)
    what = "everything is learnt from" if fold is None else f"fold {fold} is held out"
    write_text(arguments.plot, plot_losses(log, f"Training: {what}"))
    # What the state was for is written: gigabytes that nothing would read again.
    shutil.rmtree(arguments.state, ignore_errors=True)
    return f"{recipe.epochs} epochs over {len(learnt)} boxes"


def read_architecture(arguments: argparse.Namespace) -> Architecture:
    if arguments.pretrained is not None:
        encoder = read_encoder(arguments.pretrained / "config.json")
    else:
        # Made for crops of this size: positions need no stretching.
        grid = arguments.side // arguments.patch * arguments.patch
        encoder = Encoder(arguments.hidden, arguments.layers, arguments.heads, 4, arguments.patch, grid)
    return Architecture(
        object_encoder=encoder,
        context_encoder=encoder,
        scales=tuple(arguments.scales),
        feature_dim=arguments.features,
        input_size=arguments.side,
        attention_layers=arguments.attention_layers,
    )


def read_recipe(arguments: argparse.Namespace) -> Recipe:
    return Recipe(
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        accumulate=arguments.accumulate,
        learning_rate=arguments.learning_rate,
        weight_decay=arguments.weight_decay,
        warmup_epochs=arguments.warmup_epochs,
        step_epochs=arguments.step_epochs,
        step_factor=arguments.step_factor,
        rank_weight=arguments.rank_weight,
        seed=arguments.seed,
        augmentation=None if arguments.augmentation is None else Augmentation(*arguments.augmentation),
    )


if __name__ == "__main__":
    run(main, parser())
