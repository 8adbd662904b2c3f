"""Training: the schedule, the losses, resuming, and a checkpoint that predicts what the trained model predicts."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import assign_folds
import train_model
from fathomflow.architecture import Architecture, Encoder, read_description
from fathomflow.checkpoints import read_checkpoint
from fathomflow.errors import InputError
from fathomflow.folding import FoldedMceam
from fathomflow.mceam import normalise
from fathomflow.safe_weights import read_weights
from fathomflow.trainable import TrainableMceam, initialise, load_pretrained
from fathomflow.training import LOG_COLUMNS, Recipe, Training, losses
from fathomflow.training_data import CropDataset, EpochSampler, Example, read_targets
from training_study import COLOURS, write_training_study

LINEAGES = "config/categories/fathomnet-2025.csv"


def recipe(**changes: float) -> Recipe:
    values = {"epochs": 10, "batch_size": 4, "learning_rate": 1.0, "weight_decay": 0.0, "warmup_epochs": 2}
    values |= {"step_epochs": 3, "step_factor": 0.5, "rank_weight": 1.0, "seed": 1}
    return Recipe(**(values | changes))  # type: ignore[arg-type]


def test_the_learning_rate_climbs_then_falls_in_steps() -> None:
    rates = [recipe().rate(epoch) for epoch in (0, 0.5, 1, 2, 4.9, 5, 7.9, 8)]
    assert rates == [0, 0.25, 0.5, 1, 1, 0.5, 0.5, 0.25]
    assert recipe(warmup_epochs=0).rate(0) == 1


def test_losses_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]])
    ranks = [torch.tensor([[0.0, math.log(3)], [math.log(3), 0.0]]), torch.zeros(2, 1)]
    targets = torch.tensor([[1, 0, 0], [0, 0, 0]])
    own, at_ranks = losses(logits, ranks, targets)
    # -log(3/4) and -log(1/2); at the first rank -log(1/4) and -log(3/4), at the second, of one name, 0.
    assert own.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)
    assert at_ranks.item() == pytest.approx((math.log(4) + math.log(4 / 3)) / 2 / 2)


def test_targets_at_ranks(tmp_path: Path) -> None:
    names = ["Sebastes", "Sebastes diploproa", "Asteroidea", "Sebastolobus"]
    pd.DataFrame({"category_id": [1, 2, 3, 4], "category": names}).to_csv(tmp_path / "categories.csv", index=False)
    targets = read_targets(tmp_path / "categories.csv", Path(LINEAGES))
    assert list(targets.ranks) == ["phylum", "class", "order", "family", "genus", "species"]
    assert targets.ranks["phylum"].tolist() == [0, 0, 1, 0], "Chordata, Chordata, Echinodermata, Chordata"
    # Asteroidea stands above the order, so there it is a class of its own; so is Sebastes at the species.
    assert targets.ranks["order"].tolist() == [1, 1, 0, 1]
    assert targets.ranks["genus"].tolist() == [1, 1, 0, 2]
    assert targets.ranks["species"].tolist() == [1, 2, 0, 3]
    assert targets.rank_classes == [2, 2, 2, 2, 3, 4]
    encoded = targets.encode(["Asteroidea", "Sebastes"], "x")
    assert encoded.tolist() == [[2, 1, 0, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1, 1]]
    with pytest.raises(InputError, match="label 'Whale' is not among the 4 categories"):
        targets.encode(["Whale"], "labels.csv")


def test_an_epoch_shows_every_box_once_in_an_order_of_its_own() -> None:
    sampler = EpochSampler(50, seed=3)
    first = list(sampler)
    sampler.set_epoch(1)
    assert sorted(first) == sorted(sampler) == list(range(50))
    assert first != list(sampler)
    sampler.set_epoch(0)
    assert first == list(sampler)


def small_model(seed: int = 1) -> TrainableMceam:
    encoder = Encoder(hidden_size=16, layers=1, heads=2, image_size=28)
    model = TrainableMceam(Architecture(encoder, encoder, (2,), 16, 28, 1), 3, [2, 3], 0.5)
    initialise(model, seed)
    return model


def test_first_weights_depend_on_the_seed_alone() -> None:
    first, again, other = (small_model(seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(weight, again[name]) for name, weight in first.items())
    changed = {name for name, weight in first.items() if not torch.equal(weight, other[name])}
    assert {"classifier.net.0.weight", "obj_vit_region_encoder.embeddings.cls_token"} <= changed
    assert all(torch.isfinite(weight).all() for weight in first.values())


def test_norms_biases_and_positions_do_not_decay() -> None:
    model = small_model()
    training = Training(model, recipe(weight_decay=0.1), steps_per_epoch=1)
    decayed, others = training.configure_optimizers()["optimizer"].param_groups
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.1, 0)
    names = {id(weight): name for name, weight in model.named_parameters()}
    assert all(names[id(weight)].endswith("weight") for weight in decayed["params"])
    kept = {names[id(weight)] for weight in others["params"]}
    assert "obj_vit_region_encoder.embeddings.position_embeddings" in kept
    learnt = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert len(decayed["params"]) + len(kept) == len(learnt)
    assert not any(name.startswith("obj_proj_module") for name in learnt)


def test_pretrained_encoders_start_all_encoders(tmp_path: Path) -> None:
    source = small_model(seed=7).obj_vit_region_encoder
    source.save_pretrained(tmp_path)
    model = small_model()
    load_pretrained(model, tmp_path)
    for encoder in (model.obj_vit_region_encoder, *model.img_vit_region_encoders.values()):
        assert all(torch.equal(weight, source.state_dict()[name]) for name, weight in encoder.state_dict().items())
    with pytest.raises(InputError, match="not a Dinov2 as transformers saves it"):
        load_pretrained(model, tmp_path / "nowhere")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the tables that training reads."""
    folder = tmp_path_factory.mktemp("squares")
    write_training_study(folder / "study")
    document = json.loads((folder / "study/annotations.json").read_text())
    names = {row["id"]: row["name"] for row in document["categories"]}
    images = {row["id"]: row for row in document["images"]}
    rows = document["annotations"]
    frame = {"image_width": 72, "image_height": 48, "flags": ""}
    regions = [
        {"annotation_id": row["id"], "image_id": row["image_id"], "file_name": images[row["image_id"]]["file_name"]}
        | dict(zip(("x", "y", "width", "height"), row["bbox"], strict=True))
        | frame
        for row in rows
    ]
    pd.DataFrame(regions).to_csv(folder / "regions.csv", index=False)
    manifest = [
        {"image_id": key, "file_name": row["file_name"], "uri": row["coco_url"], "status": "ok", "bytes": 1}
        | {"sha256": "", "width": 72, "height": 48, "mode": "RGB", "detail": ""}
        for key, row in images.items()
    ]
    # One image is missing: nothing of it is learnt.
    manifest[3]["status"] = "missing"
    pd.DataFrame(manifest).to_csv(folder / "manifest.csv", index=False)
    labels = [(row["id"], names[row["category_id"]]) for row in rows if row["id"] != 1]
    pd.DataFrame(labels, columns=["annotation_id", "label"]).to_csv(folder / "labels.csv", index=False)
    categories = pd.DataFrame(names.items(), columns=["category_id", "category"])
    categories.to_csv(folder / "categories.csv", index=False)
    options = {"--regions": "regions", "--images": "manifest", "--labels": "labels", "--output": "folds"}
    words = [word for option, name in options.items() for word in (option, str(folder / f"{name}.csv"))]
    assign_folds.main(assign_folds.parser().parse_args([*words, "--folds", "2"]))
    return folder


def arguments(tables: Path, output: Path, *more: str) -> list[str]:
    given = {"--examples": "folds", "--regions": "regions", "--manifest": "manifest", "--categories": "categories"}
    made = {"--checkpoint": "model.ckpt", "--encoder": "encoder.json", "--weights": "model.safetensors"}
    made |= {"--description": "model.json", "--held-out": "held_out.csv", "--log": "log.csv", "--plot": "loss.svg"}
    words = [word for option, name in given.items() for word in (option, str(tables / f"{name}.csv"))]
    words += [word for option, name in made.items() for word in (option, str(output / name))]
    words += ["--images", str(tables / "study/images"), "--lineages", LINEAGES, "--state", str(output / "state")]
    words += ["--split", "survey", "--fold", "0", "--hidden", "16", "--layers", "1", "--heads", "2"]
    words += ["--features", "16", "--attention-layers", "1", "--scales", "2", "-1", "--side", "28"]
    words += ["--batch-size", "6", "--learning-rate", "4e-3", "--warmup-epochs", "1", "--threads", "1"]
    return [*words, "--augmentation", "0.5", "10", "0.1", "0.05", "0.1", *more]


def run_training(tables: Path, output: Path, *more: str) -> None:
    output.mkdir(exist_ok=True)
    train_model.main(train_model.parser().parse_args(arguments(tables, output, *more)))


@pytest.fixture(scope="module")
def trained(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("trained")
    run_training(tables, output, "--epochs", "16")
    return output


def test_colours_are_learnt_and_logged(tables: Path, trained: Path) -> None:
    log = pd.read_csv(trained / "log.csv")
    assert list(log.columns) == LOG_COLUMNS
    assert log["epoch"].tolist() == list(range(1, 17))
    assert log["loss"].iloc[-1] < log["loss"].iloc[0] / 2
    assert log["held_out_accuracy"].dropna().iloc[-1] >= 0.9, "colours of squares on dives that were held out"
    held_out = pd.read_csv(trained / "held_out.csv")
    folds = pd.read_csv(tables / "folds.csv")
    assert held_out["annotation_id"].tolist() == folds.loc[folds["fold"].eq(0), "annotation_id"].tolist()
    assert (trained / "loss.svg").read_text().startswith("<svg")
    assert not (trained / "state").exists(), "what nothing reads again is removed"


def test_the_checkpoint_has_the_winners_format(tables: Path, trained: Path) -> None:
    content = read_checkpoint(trained / "model.ckpt")
    assert content.hyper_parameters["category_id2name"] == dict(enumerate(COLOURS))
    assert content.hyper_parameters["env_img_crop_scale_list"] == [2, -1]
    assert content.hyper_parameters["obj_encoder_size"] == [28, 28]
    assert content.hyper_parameters["hierarchical_node_cnt"] == [2, 2, 2, 2, 3, 3]
    assert content.weights["hierarchical_classifier.h_modules.5.net.4.weight"].shape == (3, 16)
    assert "obj_proj_module.28_-1.net.4.weight" in content.weights
    assert "obj_vit_region_encoder.encoder.layer.0.attention.attention.query.weight" in content.weights
    folds, manifest = pd.read_csv(tables / "folds.csv"), pd.read_csv(tables / "manifest.csv")
    usable = set(manifest.loc[manifest["status"].eq("ok"), "image_id"])
    learnt = folds[folds["fold"].eq(1) & folds["label"].notna() & folds["image_id"].isin(usable)]
    expected = {"split": "survey", "labels": "published", "boxes": len(learnt), "held_out_fold": 0}
    assert read_description(trained / "model.json").trained_on == expected


def test_the_converted_model_predicts_as_the_trained_one(tables: Path, trained: Path) -> None:
    description = read_description(trained / "model.json")
    folded = FoldedMceam(
        description.architecture,
        3,
        lambda prefix: read_weights(trained / "model.safetensors", prefix),
        device=torch.device("cpu"),
        dtype=torch.float32,
    )
    model = TrainableMceam(description.architecture, 3, [2, 2, 2, 2, 3, 3], 0.5).eval()
    from fathomflow.weight_names import to_v5

    weights = read_checkpoint(trained / "model.ckpt").weights
    state = {to_v5(name): weight for name, weight in weights.items() if not name.endswith("mask_token")}
    model.load_state_dict(state)
    example = Example(1, "01.png", (72, 48), (4, 14, 18, 18), "Elpidia", 0)
    crops = CropDataset([example], torch.zeros(1, 7), tables / "study/images", description.architecture)[0][0][None]
    with torch.inference_mode():
        expected, _ = model(normalise(crops))
        found, _ = folded.classify(crops[:, :2], {-1: lambda: folded.encode_images(crops[:, 2], -1)})
    np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=2e-5)


def test_an_interrupted_training_goes_on_and_ends_alike(
    tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run_training(tables, whole, "--epochs", "5")
    ended = Training.on_train_epoch_start
    seen: list[int] = []

    def dies_in_the_fourth(self: Training) -> None:
        seen.append(self.current_epoch)
        if len(seen) == 4:
            raise MemoryError("the node is gone")
        ended(self)

    monkeypatch.setattr(Training, "on_train_epoch_start", dies_in_the_fourth)
    with pytest.raises(MemoryError):
        run_training(tables, cut, "--epochs", "5")
    assert not (cut / "model.ckpt").exists()
    run_training(tables, cut, "--epochs", "5")
    assert seen == [0, 1, 2, 3, 3, 4], "the finished epochs were not trained again"
    for name in ("log.csv", "loss.svg", "held_out.csv", "model.safetensors"):
        assert (whole / name).read_bytes() == (cut / name).read_bytes(), name


def test_another_recipe_does_not_go_on_from_an_old_state(tables: Path, tmp_path: Path) -> None:
    state = tmp_path / "state" / ("0" * 32)
    state.mkdir(parents=True)
    (state / "last.ckpt").write_text("of another recipe")
    run_training(tables, tmp_path, "--epochs", "1", "--fold", "all")
    log = pd.read_csv(tmp_path / "log.csv")
    assert len(log) == 1
    assert log["held_out_loss"].isna().all()
    assert read_description(tmp_path / "model.json").trained_on["held_out_fold"] is None  # type: ignore[index]
    assert pd.read_csv(tmp_path / "held_out.csv").empty


def test_nothing_to_learn_is_said(tables: Path, tmp_path: Path) -> None:
    folds = pd.read_csv(tables / "folds.csv")
    folds.assign(label="").to_csv(tmp_path / "folds.csv", index=False)
    with pytest.raises(InputError, match="no box to learn from with fold 0 held out"):
        run_training(tables, tmp_path, "--examples", str(tmp_path / "folds.csv"), "--epochs", "1")
