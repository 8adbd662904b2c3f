"""A trained model as a checkpoint in the winner's format, with a note of what it has seen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from fathomflow.architecture import Architecture
from fathomflow.files import atomic_write, write_text
from fathomflow.random_checkpoint import encoder_config, lightning_content
from fathomflow.trainable import TrainableMceam
from fathomflow.training import Recipe
from fathomflow.training_data import AUXILIARY_RANKS, Targets


def write_trained_checkpoint(
    path: Path,
    encoder: Path,
    model: TrainableMceam,
    architecture: Architecture,
    targets: Targets,
    recipe: Recipe,
    trained_on: dict[str, Any],
) -> None:
    """Write a Lightning checkpoint and the encoders' config.json; same model, same bytes.

    Parameters
    ----------
    path, encoder
        Files to write.
    model
        The trained model.
    architecture, targets, recipe
        What it is and how it was trained.
    trained_on
        What it has seen, for whoever asks later whether its predictions are out of sample.
    """
    weights = {name: weight.detach().to("cpu", torch.float32) for name, weight in model.state_dict().items()}
    content = lightning_content(weights, architecture, targets.categories)
    given = OmegaConf.merge(content["hyper_parameters"], _hyper_parameters(recipe, targets.rank_classes))
    content["hyper_parameters"] = OmegaConf.merge(given, {"trained_on": trained_on})
    content["epoch"] = recipe.epochs
    write_text(encoder, json.dumps(encoder_config(architecture.object_encoder), indent=2, sort_keys=True) + "\n")
    with atomic_write(path) as temporary, temporary.open("wb") as handle:
        torch.save(content, handle)


def _hyper_parameters(recipe: Recipe, rank_classes: Sequence[int]) -> dict[str, Any]:
    """Say how the model was trained under the names that the winner's code uses."""
    return {
        "seed_number": recipe.seed,
        "batch_size": recipe.batch_size,
        "accumulate_grad_batches": recipe.accumulate,
        "max_epochs": recipe.epochs,
        "lr": recipe.learning_rate,
        "weight_decay": recipe.weight_decay,
        "scheduler_t_up": recipe.warmup_epochs,
        "scheduler_step_size": recipe.step_epochs,
        "scheduler_gamma": recipe.step_factor,
        "transform": recipe.augmentation is not None,
        "hierarchical_loss": True,
        "hierarchical_node_rank": [rank.capitalize() for rank in AUXILIARY_RANKS],
        "hierarchical_node_cnt": list(rank_classes),
        "lambda_ce": 1.0,
        "lambda_sub_h": recipe.rank_weight,
    }
