"""The configuration: one closed, described model per section, and messages that name the nearest valid key.

These models are the one source. ``config/schema.json`` is generated from them (`make schema`), and editors
complete and check the YAML files against it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)

from fathomflow.config_calibration import CalibrationData, calibration_problems
from fathomflow.config_messages import choices, explain
from fathomflow.config_section import Name, Section
from fathomflow.config_training import TrainedModel
from fathomflow.errors import InputError

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Uri = Annotated[str, StringConstraints(min_length=1)]


def _as_list(value: Any) -> Any:
    return [] if value is None else [value] if isinstance(value, str) else value


#: A file or several; one alone may stand without a list around it.
Files = Annotated[list[Uri], BeforeValidator(_as_list, json_schema_input_type=str | list[str] | None)]


class Resource(Section):
    """A file that is fetched."""

    uri: Uri
    """Where it is: a path or a URI (https, http, file, gdrive, hf, gs, s3)."""
    sha256: Sha256 | None = None
    """The SHA-256 it must have; null: it is recorded, not checked."""


class Paths(Section):
    """Where things are kept."""

    data: str = "data"
    """Downloads, large and worth sharing between runs: annotations, images, checkpoints."""
    results: str = "results"
    """Everything the workflow computes."""


class Split(Section):
    """One part of the image collection with annotations of its own."""

    annotations: Resource
    """COCO JSON with images, boxes and categories."""
    images: Uri | None = None
    """A folder or bucket that already holds the images under their file names; null: each comes from its coco_url."""
    labels: Uri | None = "annotations"
    """`annotations`: the labels in the COCO file; a CSV (annotation_id, label); null: this split has no labels."""
    corrections: Files = Field(default=[])
    """CSVs of corrected labels (annotation_id, old_label, new_label, reason, reviewer, date): one, or a list in the
    order in which they apply; null: none."""


class Images(Section):
    """How images are fetched."""

    concurrency: int = Field(default=32, ge=1, le=256)
    """Downloads under way at once in a job; profiles set how many of these jobs run at the same time."""
    attempts: int = Field(default=5, ge=1, le=20)
    """Tries per image before it is given up as failed."""
    timeout_s: float = Field(default=60, gt=0)
    """Seconds without a byte before a try counts as failed."""
    max_missing: float = Field(default=0.02, ge=0, le=1)
    """Share of images that may be missing, corrupt or failed before the split counts as unusable."""
    verify: Literal["size", "full"] = "size"
    """How images that are there already are checked: by their size, or in full, by their hash."""
    store: Uri | None = None
    """Where images are fetched to, a folder or a bucket (gs://, s3://), with a folder of each split in it; null:
    the folder images below paths.data."""


class Categories(Section):
    """What is known of the categories."""

    lineages: str
    """Facts file: category, rank and the names at the seven ranks."""
    maps: dict[Name, str] = Field(default={})
    """Further category maps beside the ranks: a name and a CSV (category, target) each."""


class Encoder(Section):
    """The encoders' architecture, which checkpoints do not hold (head counts)."""

    object: str
    """Dinov2 config.json of the object encoder."""
    context: str
    """Dinov2 config.json of the context encoders."""


class CheckpointModel(Section):
    """A model that predicts here, from its checkpoint."""

    checkpoint: Resource
    """The Lightning checkpoint as published."""
    encoder: Encoder | None = None
    """Null: DINOv2-large."""
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    """Number format of the computation; auto picks what the device does fastest."""
    batch_size: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    """Boxes per batch; auto finds what fits."""
    calibration: CalibrationData | None = None
    """Null: scores are the softmax as it is."""
    trained_on: list[Name] | None = None
    """The splits whose labels the model saw in training; null: not known. Label issues are only sound elsewhere."""


class PredictedModel(Section):
    """A model whose predictions were made elsewhere."""

    predictions: dict[Name, str]
    """For each split a CSV (annotation_id, concept_name; score, runner_up and runner_up_score where known)."""
    trained_on: list[Name] | None = None
    """The splits whose labels the model saw in training; null: not known. Label issues are only sound elsewhere."""


def _model_kind(value: Any) -> str:
    # The tags are the class names, so that a location in a pydantic error can be looked up in the schema.
    keys = value if isinstance(value, Mapping) else getattr(value, "__dict__", {})
    if "training" in keys:
        return "TrainedModel"
    return "PredictedModel" if "predictions" in keys else "CheckpointModel"


Model = Annotated[
    Annotated[CheckpointModel, Tag("CheckpointModel")]
    | Annotated[PredictedModel, Tag("PredictedModel")]
    | Annotated[TrainedModel, Tag("TrainedModel")],
    Discriminator(_model_kind),
]


class Shards(Section):
    """Into how many jobs a split's work is cut."""

    images: int = Field(default=8, ge=1, le=1000)
    """Download jobs per split."""
    predictions: int = Field(default=4, ge=1, le=1000)
    """Prediction jobs per split and model."""


class Evaluation(Section):
    """How predictions are judged."""

    reviewed: int = Field(default=50, ge=0)
    """The first disagreements, which a reviewer is asked to judge by their pictures; 0: reports need no images."""
    pictures: int = Field(default=1000, ge=1, le=100_000)
    """Boxes whose pictures a report carries at most, the first disagreements first; about 8 kB each."""
    bootstrap: int = Field(default=1000, ge=100, le=100_000)
    """Bootstrap replicates of the 95 % intervals, resampled by image."""
    seed: int = Field(default=1234, ge=0)
    """Seed of the bootstrap."""


class FiftyOne(Section):
    """The FiftyOne dataset."""

    dataset: Name
    """Its name."""
    database_uri: str | None = None
    """MongoDB to use, without credentials (FIFTYONE_DATABASE_URI may have some); null: one embedded in the results."""


class Demo(Section):
    """A small study that is drawn on the spot."""

    scenes: int = Field(default=40, ge=4, le=1000)
    """Images to draw."""
    seed: int = Field(default=1, ge=0)
    """Seed of everything drawn."""
    port: int = Field(default=8437, ge=1024, le=65535)
    """Port on 127.0.0.1 that serves the images to the downloader."""


class Study(Section):
    """A study: its data, its models and what is computed of them."""

    study: Name
    """Its name, shown in reports."""
    paths: Paths = Paths()
    """Where things are kept."""
    splits: dict[Name, Split] = Field(min_length=1)
    """The parts of the image collection."""
    images: Images = Images()
    """How images are fetched."""
    categories: Categories
    """What is known of the categories."""
    models: dict[Name, Model] = Field(default={})
    """The models."""
    predict: dict[Name, list[Name]] = Field(default={})
    """Which models predict which splits."""
    shards: Shards = Shards()
    """Into how many jobs a split's work is cut."""
    evaluation: Evaluation = Evaluation()
    """How predictions are judged."""
    fiftyone: FiftyOne | None = None
    """The FiftyOne dataset."""
    demo: Demo | None = None
    """Only for the demo: the study's data are drawn on the spot."""

    @model_validator(mode="after")
    def _names_exist(self) -> Study:
        problems = []
        for split, models in self.predict.items():
            if split not in self.splits:
                problems.append(f"predict.{split}: no such split; {choices(split, self.splits)}")
            for model in models:
                if model not in self.models:
                    problems.append(f"predict.{split}: no model {model!r}; {choices(model, self.models)}")
                    continue
                found = self.models[model]
                if isinstance(found, PredictedModel) and split not in found.predictions:
                    problems.append(f"predict.{split}: model {model!r} has no predictions for this split")
            if len(set(models)) < len(models):
                problems.append(f"predict.{split}: a model stands twice")
        for name, described in self.models.items():
            if isinstance(described, PredictedModel):
                for split in described.predictions:
                    if split not in self.splits:
                        problems.append(
                            f"models.{name}.predictions.{split}: no such split; {choices(split, self.splits)}"
                        )
            if isinstance(described, CheckpointModel):
                key = f"models.{name}.calibration"
                problems += calibration_problems(key, described.calibration, described.trained_on, self.splits)
            if isinstance(described, TrainedModel):
                learnt = described.training.split
                if learnt not in self.splits:
                    problems.append(
                        f"models.{name}.training.split: no such split: {learnt!r}; {choices(learnt, self.splits)}"
                    )
                elif self.splits[learnt].labels is None:
                    problems.append(f"models.{name}.training.split: {learnt!r} has no labels to learn from")
        if self.fiftyone is not None and "@" in (self.fiftyone.database_uri or ""):
            # The value itself must not be shown.
            problems.append(
                "fiftyone.database_uri: holds credentials; leave it out and put it into FIFTYONE_DATABASE_URI, in the "
                "environment or in a file .env"
            )
        if problems:
            raise InputError(*problems)
        return self


def load_study(values: Mapping[str, Any], source: str) -> Study:
    """Validate configuration values as YAML gives them.

    Parameters
    ----------
    values
        The merged configuration.
    source
        Where it came from, for messages.

    Raises
    ------
    InputError
        One line per mistake: source, key, what was found, what is allowed, the nearest valid name.
    """
    try:
        return Study.model_validate(values)
    except InputError as error:
        raise InputError(*(f"{source}: {problem}" for problem in error.problems)) from None
    except ValidationError as error:
        schema = study_schema()
        raise InputError(*(f"{source}: {explain(problem, schema)}" for problem in error.errors())) from None


def local_path(uri: str) -> Path | None:
    """Return the path that a URI names on this file system (a plain path or ``file:``), None for anything else."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if "://" in uri else Path(uri)


def missing_files(study: Study) -> None:
    """Check that every local file that the configuration names is there, before any job starts.

    What the demo draws later, under its data folder, is left out.

    Raises
    ------
    InputError
        One line per missing file, with the key that names it.
    """
    problems = []
    for key, uri in _named_files(study):
        path = local_path(uri)
        made_later = study.demo is not None and path is not None and path.is_relative_to(study.paths.data)
        if path is not None and not made_later and not path.exists():
            problems.append(f"{key}: no such file or folder: {path}; correct the path or make the file")
    if problems:
        raise InputError(*problems)


def _named_files(study: Study) -> Iterator[tuple[str, str]]:
    yield "categories.lineages", study.categories.lineages
    for name, path in study.categories.maps.items():
        yield f"categories.maps.{name}", path
    for name, split in study.splits.items():
        yield f"splits.{name}.annotations.uri", split.annotations.uri
        for path in split.corrections:
            yield f"splits.{name}.corrections", path
        for key, uri in (("images", split.images), ("labels", split.labels)):
            if uri is not None and (key, uri) != ("labels", "annotations"):
                yield f"splits.{name}.{key}", uri
    for name, model in study.models.items():
        if isinstance(model, PredictedModel):
            for split_name, path in model.predictions.items():
                yield f"models.{name}.predictions.{split_name}", path
            continue
        if isinstance(model, TrainedModel):
            if model.training.pretrained is not None:
                yield f"models.{name}.training.pretrained", model.training.pretrained
            continue
        yield f"models.{name}.checkpoint.uri", model.checkpoint.uri
        if model.calibration is not None:
            yield f"models.{name}.calibration.labels", model.calibration.labels
        if model.encoder is not None:
            yield f"models.{name}.encoder.object", model.encoder.object
            yield f"models.{name}.encoder.context", model.encoder.context


def study_schema() -> dict[str, Any]:
    """Return the JSON schema of a study's configuration."""
    return Study.model_json_schema()


def schema_text() -> str:
    """Return the JSON schema as the text of ``config/schema.json``."""
    return json.dumps(study_schema(), indent=2, ensure_ascii=False) + "\n"
