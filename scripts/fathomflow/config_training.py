"""The configuration of models that are trained here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fathomflow.config_section import Name, Section
from fathomflow.errors import InputError

Scale = Annotated[int, Field(ge=-1)]


class TrainedArchitecture(Section):
    """Size of a model that is trained here; the defaults make the winner's (DINOv2-large)."""

    hidden: int = Field(default=1024, ge=8)
    """Features of a token in the encoders; a multiple of heads."""
    layers: int = Field(default=24, ge=1)
    """Layers of an encoder."""
    heads: int = Field(default=16, ge=1)
    """Attention heads of an encoder."""
    patch: int = Field(default=14, ge=1)
    """Side of a patch in pixels."""
    features: int = Field(default=1024, ge=8)
    """Features of the joined vectors; a multiple of 8."""
    attention_layers: int = Field(default=4, ge=1)
    """Layers in which the object asks each context."""
    scales: list[Scale] = Field(default=[3, 5, -1], min_length=1)
    """The contexts, as multiples of the box's half side; -1: the whole image."""
    side: int = Field(default=256, ge=14)
    """Side in pixels to which crops are resized."""

    @model_validator(mode="after")
    def _divides(self) -> TrainedArchitecture:
        problems = []
        if self.hidden % self.heads:
            problems.append(f"architecture.hidden: {self.hidden} is not a multiple of heads, {self.heads}")
        if self.features % 8:
            problems.append(f"architecture.features: {self.features} is not a multiple of 8")
        if self.side < self.patch:
            problems.append(f"architecture.side: {self.side} pixels hold no patch of {self.patch}")
        if len(set(self.scales)) < len(self.scales) or 0 in self.scales:
            problems.append(f"architecture.scales: {self.scales}; each once, positive or -1")
        if problems:
            raise InputError(*problems)
        return self


class AugmentationRanges(Section):
    """How far the views that a model learns from may differ from the crops."""

    flip: float = Field(default=0.5, ge=0, le=1)
    """Probability of a mirror image."""
    rotation: float = Field(default=15, ge=0, le=180)
    """Degrees to either side."""
    scale: float = Field(default=0.15, ge=0, lt=1)
    """Share by which a view may be larger or smaller."""
    shift: float = Field(default=0.05, ge=0, le=1)
    """Share of the side by which it may move."""
    colour: float = Field(default=0.2, ge=0, lt=1)
    """Share by which brightness, contrast and each channel may change."""


class Training(Section):
    """How a model is trained here."""

    split: Name
    """The split to learn from. Its own boxes are predicted out of fold, other splits by a model that saw all of it."""
    labels: Literal["published", "corrected"] = "published"
    """`published`: a correction never trains anew; `corrected`: every correction does."""
    folds: int = Field(default=5, ge=2, le=20)
    """Parts, each of whole dives, that are held out in turn; one training each."""
    epochs: int = Field(default=60, ge=1)
    """Times that every box is seen."""
    batch_size: int = Field(default=16, ge=1)
    """Boxes per batch."""
    accumulate: int = Field(default=1, ge=1)
    """Batches per step."""
    learning_rate: float = Field(default=1e-5, gt=0)
    """Of AdamW."""
    weight_decay: float = Field(default=1e-3, ge=0)
    """Of AdamW."""
    warmup_epochs: float = Field(default=5, ge=0)
    """Epochs in which the learning rate climbs from 0."""
    step_epochs: int = Field(default=30, ge=1)
    """After so many further epochs, again and again, the learning rate falls."""
    step_factor: float = Field(default=0.5, gt=0, le=1)
    """By this factor."""
    rank_weight: float = Field(default=1, ge=0)
    """Weight of the auxiliary loss over the ranks, phylum to species, beside that of the category."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the heads' features that are dropped."""
    augmentation: AugmentationRanges | None = AugmentationRanges()
    """Random views; null: the crops as they are."""
    seed: int = Field(default=1, ge=0, lt=2**32)
    """Of folds, first weights, order, views and dropout."""
    pretrained: str | None = None
    """A folder with a Dinov2 as transformers saves it, from which every encoder starts; null: from random weights."""
    architecture: TrainedArchitecture = TrainedArchitecture()
    """Size of the model; the encoders' are those of the pretrained Dinov2 where there is one."""


class TrainedModel(Section):
    """A model that is trained here, on a split of this study."""

    training: Training
    """How it is trained."""
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    """Number format of the predictions; auto picks what the device does fastest."""
    batch_size: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    """Boxes per batch when it predicts; auto finds what fits."""
