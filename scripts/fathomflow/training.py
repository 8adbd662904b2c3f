"""Training with pytorch-lightning: losses, schedule, seeds, and going on where an interrupted run stopped."""

from __future__ import annotations

import logging
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.environments import LightningEnvironment  # type: ignore[attr-defined]
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from fathomflow.augmentation import Augmentation, augment
from fathomflow.files import sha256_of
from fathomflow.mceam import normalise
from fathomflow.program import LINE_EVERY_S
from fathomflow.trainable import TrainableMceam
from fathomflow.training_data import CropDataset, EpochSampler

#: Columns of the log: one row per epoch, the learning rate as it ends; held-out columns are empty where none are seen.
LOG_COLUMNS = ["epoch", "learning_rate", "loss", "category_loss", "rank_loss", "held_out_loss", "held_out_accuracy"]
#: Library modules whose code decides the weights.
COMPUTING = ("augmentation.py", "crops.py", "mceam.py", "pixels.py", "trainable.py", "training.py", "training_data.py")
#: Times that held-out boxes are looked at during a training, about.
HELD_OUT_LOOKS = 10
#: Weights of several dimensions that do not decay, beside norms and biases.
_NOT_DECAYED = ("cls_token", "position_embeddings")
#: The largest norm of a step's gradient.
CLIPPED_AT = 1.0


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Attributes
    ----------
    epochs, batch_size, accumulate
        Times that every box is seen; boxes per batch; batches per step.
    learning_rate, weight_decay
        Of AdamW.
    warmup_epochs
        Epochs in which the learning rate climbs from 0.
    step_epochs, step_factor
        After every `step_epochs` further epochs the learning rate is multiplied by `step_factor`.
    rank_weight
        Weight of the mean loss over the ranks beside the categories' loss.
    seed
        Of the weights, the order of the boxes, their views and the dropout.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup_epochs: float
    step_epochs: int
    step_factor: float
    rank_weight: float
    seed: int
    accumulate: int = 1
    augmentation: Augmentation | None = None

    def rate(self, epoch: float) -> float:
        """Return the share of the learning rate that applies at a (fractional) epoch."""
        if epoch < self.warmup_epochs:
            return epoch / self.warmup_epochs
        return float(self.step_factor ** int((epoch - self.warmup_epochs) // self.step_epochs))


class Training(lightning.LightningModule):
    """One model under training; batches are uint8 crops and targets of `training_data.CropDataset`."""

    def __init__(self, model: TrainableMceam, recipe: Recipe, steps_per_epoch: int) -> None:
        super().__init__()
        self.model, self.recipe, self.steps_per_epoch = model, recipe, steps_per_epoch
        self.rows: list[dict[str, float]] = []
        self.sums: dict[str, Tensor] = {}
        self.training_sums: dict[str, Tensor] = {}
        self.last_line = 0.0

    def configure_optimizers(self) -> Any:
        """Set up AdamW and the schedule; norms, biases and positions do not decay."""
        weights = [weight for weight in self.model.named_parameters() if weight[1].requires_grad]
        decayed = [weight for name, weight in weights if weight.ndim >= 2 and not name.endswith(_NOT_DECAYED)]
        known = {id(weight) for weight in decayed}
        groups = [
            {"params": decayed, "weight_decay": self.recipe.weight_decay},
            {"params": [weight for _, weight in weights if id(weight) not in known], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.recipe.learning_rate, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: self.recipe.rate((step + 1) / self.steps_per_epoch)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        """Start counting anew."""
        self.sums = {}

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """Compute a batch's loss.

        Views and dropout are seeded by the batch's number: a resumed run draws what an uninterrupted one would.
        """
        crops, targets = batch
        seeds = np.random.SeedSequence([self.recipe.seed, self.current_epoch, index])
        torch.manual_seed(int(seeds.generate_state(1)[0]))
        if self.recipe.augmentation is not None:
            generator = torch.Generator().manual_seed(int(seeds.generate_state(2)[1]))
            crops = augment(crops, generator, self.recipe.augmentation)
        logits, ranks = self.model.forward_all(normalise(crops))
        own, at_ranks = losses(logits, ranks, targets)
        loss = own + self.recipe.rank_weight * at_ranks
        self._add(len(crops), loss=loss, category_loss=own, rank_loss=at_ranks)
        return loss

    def on_train_epoch_end(self) -> None:
        """Close the epoch's row of the log."""
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        row = {"epoch": self.current_epoch + 1, "learning_rate": rate, **self._means()}
        self.rows.append(row)
        now = time.monotonic()
        if now - self.last_line >= LINE_EVERY_S or row["epoch"] in (1, self.recipe.epochs):
            self.last_line = now
            logging.info("epoch %d of %d: %s", row["epoch"], self.recipe.epochs, _figures(row))

    def on_validation_epoch_start(self) -> None:
        """Start counting anew."""
        self.sums, self.training_sums = {}, self.sums

    def validation_step(self, batch: tuple[Tensor, Tensor], _index: int) -> None:
        """Count loss and hits on held-out boxes; nothing is chosen by them."""
        crops, targets = batch
        logits, ranks = self.model.forward_all(normalise(crops))
        own, at_ranks = losses(logits, ranks, targets)
        hits = (logits.argmax(dim=1) == targets[:, 0]).float().mean()
        self._add(len(crops), held_out_loss=own + self.recipe.rank_weight * at_ranks, held_out_accuracy=hits)

    def on_validation_epoch_end(self) -> None:
        """Keep the figures for the epoch's row."""
        self.sums = self.training_sums | self.sums

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the log with the weights."""
        checkpoint["log_rows"] = self.rows

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the log of the interrupted run."""
        self.rows = list(checkpoint["log_rows"])

    def _add(self, boxes: int, **values: Tensor) -> None:
        for name, value in values.items():
            total = torch.stack([value.detach().float() * boxes, torch.tensor(float(boxes), device=value.device)])
            self.sums[name] = self.sums[name] + total if name in self.sums else total

    def _means(self) -> dict[str, float]:
        return {name: float(total[0] / total[1]) for name, total in self.sums.items()}


def code_hashes() -> list[str]:
    """Return the hashes of the modules that decide what a training computes."""
    folder = Path(__file__).parent
    return [sha256_of(folder / name) for name in COMPUTING]


def losses(logits: Tensor, ranks: list[Tensor], targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of the categories, and the mean of those of the ranks.

    Parameters
    ----------
    logits
        (boxes, categories).
    ranks
        For each rank (boxes, names).
    targets
        (boxes, 1 + ranks).
    """
    own = functional.cross_entropy(logits.float(), targets[:, 0])
    others = [
        functional.cross_entropy(values.float(), targets[:, level]) for level, values in enumerate(ranks, start=1)
    ]
    return own, torch.stack(others).mean()


def _figures(row: dict[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {row[name]:.3g}" for name in LOG_COLUMNS[2:] if name in row)


def train(
    model: TrainableMceam,
    recipe: Recipe,
    learnt: CropDataset,
    held_out: CropDataset | None,
    state: Path,
    *,
    threads: int = 1,
) -> pd.DataFrame:
    """Train a model in place.

    After every epoch the state goes to ``<state>/last.ckpt``; where that file is found, training goes on from it and
    ends with the same weights as without the interruption (on the same machine).

    Parameters
    ----------
    model
        The model with its first weights.
    recipe
        How to train.
    learnt, held_out
        Boxes to learn from; boxes that the log watches, from which nothing is learnt or chosen.
    state
        Folder of the state, one per set of inputs.
    threads
        Cores to use: beside a graphics card all but one cut crops.

    Returns
    -------
    pandas.DataFrame
        The log, `LOG_COLUMNS`.
    """
    cuda = torch.cuda.is_available()
    half = cuda and torch.cuda.is_bf16_supported(including_emulation=False)
    # Without a card the cores are better spent on the model, and crops that are kept are cut only once.
    workers = max(0, threads - 1) if cuda and learnt.kept is None else 0
    options: dict[str, Any] = {
        "batch_size": recipe.batch_size,
        "num_workers": workers,
        "persistent_workers": workers > 0,
        "pin_memory": cuda,
    }
    batches = DataLoader(learnt, sampler=EpochSampler(len(learnt), recipe.seed), **options)
    watched = DataLoader(held_out, **options) if held_out is not None and len(held_out) else None
    steps = -(-len(batches) // recipe.accumulate)
    training = Training(model, recipe, steps)
    last = state / "last.ckpt"
    with warnings.catch_warnings():
        # Lightning advises more workers and a logger; both are decided here.
        warnings.filterwarnings("ignore", module=r"pytorch_lightning|lightning_fabric")
        logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
        trainer = lightning.Trainer(
            max_epochs=recipe.epochs,
            accelerator="gpu" if cuda else "cpu",
            devices=1,
            precision="bf16-mixed" if half else "32-true",
            accumulate_grad_batches=recipe.accumulate,
            gradient_clip_val=CLIPPED_AT,
            callbacks=[
                # One file, written anew after every epoch.
                ModelCheckpoint(
                    dirpath=state, filename="last", enable_version_counter=False, save_on_train_epoch_end=True
                )
            ],
            # One process: inside a Slurm job Lightning would else look for others, and requeue the job by itself.
            plugins=[LightningEnvironment()],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            check_val_every_n_epoch=max(1, recipe.epochs // HELD_OUT_LOOKS),
            deterministic="warn" if cuda else True,
        )
        if last.is_file():
            logging.info("going on from the last state in %s", state)
        trainer.fit(training, batches, watched, ckpt_path=last if last.is_file() else None)
    return pd.DataFrame(training.rows, columns=LOG_COLUMNS)
