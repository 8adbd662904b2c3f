from __future__ import annotations

import html
import json
import re
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

import crop_regions
import render_report
from evaluation_case import write_case
from fathomflow.tables import read_table
from test_evaluation import evaluate


def run_script(program: ModuleType, *arguments: object) -> None:
    program.main(program.parser().parse_args([str(argument) for argument in arguments]))


def render(paths: dict[str, Path], out: Path, *, labelled: bool = True, options: tuple[object, ...] = ()) -> str:
    arguments: list[object] = ["--study", "paper", "--split", "survey", "--model", "hand", *options]
    for name in ("predictions", "regions", "lineages"):
        arguments += [f"--{name}", paths[name]]
    arguments += ["--maps", *sorted(paths["maps"].glob("*.csv"))]
    if labelled:
        evaluate(paths, out, "--replicates", "100")
        arguments += ["--labels", paths["labels"], "--evaluation", out]
    run_script(render_report, *arguments, "--report", out / "report.html")
    return (out / "report.html").read_text(encoding="utf-8")


def pictures_of(paths: dict[str, Path], folder: Path) -> tuple[object, ...]:
    """Draw the case's images, leave out one, cut them, and return the options for the report."""
    files = sorted(set(read_table(paths["regions"], {"file_name": str})["file_name"]))
    rows = ["image_id,file_name,status,detail,mode"]
    for number, file in enumerate(files, start=1):
        if number == 2:
            rows.append(f"{number},{file},missing,404,")
            continue
        Image.new("RGBA" if number == 3 else "RGB", (320, 240), (10, 40 * number, 90)).save(folder / file)
        rows.append(f"{number},{file},ok,,RGB")
    manifest = folder / "manifest.csv"
    manifest.write_text("\n".join(rows) + "\n", encoding="utf-8")
    crops, frames = folder / "crops.parquet", folder / "frames.parquet"
    run_script(
        crop_regions, "--regions", paths["regions"], "--manifest", manifest, "--images", folder, "--threads", 2,
        "--crops", crops, "--frames", frames,
    )  # fmt: skip
    return ("--manifest", manifest, "--crops", crops, "--frames", frames)


def embedded(page: str, key: str) -> dict:
    found = re.search(rf'<script type="application/json" id="{key}">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_a_report_without_pictures_says_so(tmp_path: Path) -> None:
    page = render(write_case(tmp_path), tmp_path, options=("--reviewed", 0))
    assert "This report carries no pictures (evaluation.reviewed is 0)." in page
    assert "37.5 %" in page
    assert embedded(page, "pictures") == {"crops": {}, "frames": {}}


def test_a_report_without_labels_says_why_figures_are_missing(tmp_path: Path) -> None:
    page = render(write_case(tmp_path, labels=False), tmp_path, labelled=False)
    assert "This split has no labels" in page
    assert "Confusion matrix" not in page
    assert embedded(page, "data")["labelled"] is False


def test_a_report_without_scores_loses_only_what_needs_them(tmp_path: Path) -> None:
    page = render(write_case(tmp_path, scores=False), tmp_path)
    assert "These predictions carry no scores" in page
    assert "Calibration error" not in page
    assert "37.5 %" in page


def test_pictures_go_to_the_first_disagreements(tmp_path: Path) -> None:
    paths = write_case(tmp_path)
    pictures = pictures_of(paths, tmp_path)
    page = render(paths, tmp_path, options=(*pictures, "--reviewed", 2, "--pictures", 4))
    # Ranked 7, 3, 5, 4; boxes 3 and 4 lie on the image that is missing.
    assert sorted(embedded(page, "pictures")["crops"]) == ["5", "7"]
    assert "Pictures of 2 of 8 boxes are in this file: the first disagreements" in page
    assert "1 missing, 3 ok" in page


def test_the_page_is_whole_and_asks_for_nothing(tmp_path: Path) -> None:
    page = render(write_case(tmp_path), tmp_path)
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", page)
    assert "default-src 'none'" in html.unescape(page)
    assert not re.search(r"\b(/work|/tmp|file://)", page)


def test_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    paths = write_case(tmp_path)
    pictures = pictures_of(paths, tmp_path)
    first = render(paths, tmp_path, options=pictures)
    again = tmp_path / "again"
    paths_again = write_case(again)
    assert render(paths_again, again, options=pictures_of(paths_again, again)) == first


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>"])
def test_names_stay_text(tmp_path: Path, name: str) -> None:
    boxes = [(1, 1, "Porifera", name, 0.9), (2, 1, "Porifera", "Porifera", 0.9)]
    page = render(write_case(tmp_path, boxes=boxes), tmp_path)
    assert name not in page
    assert embedded(page, "data")["categories"]["names"][-1] == name
    assert page.count("<script") == 3


def test_a_labelled_split_whose_labels_are_all_missing_still_gets_a_report(tmp_path: Path) -> None:
    paths = write_case(tmp_path)
    paths["labels"].write_text("annotation_id,label,published_label,corrected,reason\n")
    page = render(paths, tmp_path)
    assert "8 boxes have no label and are left out of the figures." in page
    assert "None" not in re.sub(r"<script.*</script>", "", page, flags=re.DOTALL)
