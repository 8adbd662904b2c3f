"""The workflow as a person runs it: plans, reruns, refusals. Snakemake itself runs in every test."""

import copy
import json
from pathlib import Path

import pandas as pd
import pytest

from conftest import Workspace, make_workspace, shared_folder
from study import write_study

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, str]:
    """Return a workspace in which the tiny study has been run, and its configuration option."""
    workspace = make_workspace(tmp_path_factory.mktemp("finished") / "clone")
    option = workspace.configure("tiny", write_study(workspace.root / "tiny"))
    workspace.snakemake(option)
    return workspace, option


def test_the_plan_for_fathomnet_needs_no_data(workspace: Workspace) -> None:
    jobs = workspace.planned()
    assert jobs["fetch_annotations"] == 2
    assert jobs["fetch_checkpoint"] == jobs["convert_checkpoint"] == 1
    assert jobs["download_images"] == 2 * 8
    assert jobs["predict_regions"] == 2 * 4
    assert jobs["evaluate_predictions"] == 1, "only the split with labels can be evaluated"
    assert jobs["render_report"] == 2
    assert not (workspace.root / "results").exists()


def test_figures_of_the_tiny_study(finished: tuple[Workspace, str]) -> None:
    results = finished[0].root / "tiny/results"
    predictions = pd.read_csv(results / "predictions/survey/elsewhere.csv")
    assert len(predictions) == 16
    submission = (results / "predictions/survey/elsewhere.submission.csv").read_text()
    assert submission.startswith("annotation_id,concept_name\n1,Sebastes\n")
    disagreements = pd.read_csv(results / "evaluation/survey/elsewhere/disagreements.csv")
    # By the official rule. Elpidia and Peniagone, genera of one family: 2. Sebastes and Elpidia, phylum to genus: 10.
    # Sebastes and its species: 1.
    by_box = disagreements.set_index("annotation_id")["distance"].to_dict()
    assert by_box == {3: 2, 6: 10, 12: 1}
    assert (results / "evaluation/survey/elsewhere/report.html").stat().st_size > 10_000


def test_nothing_is_left_to_do_and_a_touch_changes_nothing(finished: tuple[Workspace, str]) -> None:
    workspace, option = finished
    assert workspace.planned(option) == {}
    workspace.touch_everything()
    assert workspace.planned(option) == {}


def test_snakemakes_own_report_carries_ours_with_its_caption(finished: tuple[Workspace, str]) -> None:
    workspace, option = finished
    workspace.snakemake("--report", "everything.html", option)
    text = (workspace.root / "everything.html").read_text()
    assert "The report of model <strong>elsewhere</strong> on split <strong>survey</strong>" in text
    for name in ("report.html", "per_category.csv", "disagreements.csv"):
        assert name in text


def test_a_report_that_someone_deleted_is_made_again_as_it_was(finished: tuple[Workspace, str]) -> None:
    workspace, option = finished
    report = workspace.root / "tiny/results/evaluation/survey/elsewhere/report.html"
    before = report.read_bytes()
    report.unlink()
    assert set(workspace.planned(option)) == {"render_report", "write_provenance", "all"}
    workspace.snakemake(option)
    assert report.read_bytes() == before


def test_a_correction_reruns_labels_evaluation_and_report_only(finished: tuple[Workspace, str]) -> None:
    workspace, option = finished
    corrections = workspace.root / "tiny/corrections.csv"
    before = corrections.read_text()
    corrections.write_text(before + "3,Peniagone,Elpidia,tail seen,someone,2026-11-20\n")
    try:
        assert set(workspace.planned(option, "report")) == {
            "apply_corrections",
            "evaluate_predictions",
            "render_report",
            "report",
        }
        assert set(workspace.planned(option)) - {"write_provenance", "all"} == {
            "apply_corrections",
            "evaluate_predictions",
            "render_report",
        }
        workspace.snakemake(option)
        labels = pd.read_csv(workspace.root / "tiny/results/labels/survey.csv").set_index("annotation_id")
        assert labels.loc[3, ["label", "published_label", "corrected"]].tolist() == ["Elpidia", "Peniagone", True]
    finally:
        corrections.write_text(before)
        workspace.snakemake(option)


def test_a_library_edit_reruns_what_is_made_of_it(finished: tuple[Workspace, str]) -> None:
    workspace, option = finished
    path = workspace.root / "scripts/fathomflow/labels.py"
    before = path.read_text()
    path.write_text(before + "\n# edited\n")
    try:
        jobs = workspace.planned(option)
        assert jobs["read_labels"] == jobs["apply_corrections"] == 1
        assert not {"read_annotations", "download_images", "import_predictions"} & set(jobs)
    finally:
        path.write_text(before)


def test_a_bad_correction_stops_with_one_line_and_keeps_the_report(finished: tuple[Workspace, str]) -> None:
    workspace, option = finished
    corrections = workspace.root / "tiny/corrections.csv"
    before = corrections.read_text()
    published = (workspace.root / "tiny/results/labels/survey.csv").read_text()
    corrections.write_text(before + "3,Elpidia,Peniagone,stale,someone,2026-11-20\n")
    try:
        done = workspace.snakemake(option, check=False)
        assert done.returncode != 0
        message = "row 2: annotation_id 3: old_label is 'Elpidia', but the published label is 'Peniagone'"
        assert message in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
    finally:
        corrections.write_text(before)
        workspace.snakemake(option)
    assert (workspace.root / "tiny/results/labels/survey.csv").read_text() == published


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shrads": {"images": 2}}, "config/broken.yaml: shrads: unknown key; did you mean 'shards'?"),
        (
            {"evaluation": {"bootstrap": "many"}},
            "config/broken.yaml: evaluation.bootstrap: input should be a valid integer",
        ),
        ({"categories": {"lineages": "nowhere.csv"}}, "categories.lineages: no such file or folder: nowhere.csv"),
    ],
)
def test_mistakes_are_refused_before_any_job(workspace: Workspace, change: dict[str, object], message: str) -> None:
    values = copy.deepcopy(write_study(workspace.root / "tiny")) | change
    done = workspace.snakemake(workspace.configure("broken", values), check=False)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert not (workspace.root / "tiny/results").exists()


def test_a_split_without_labels_still_gets_predictions_and_a_report(workspace: Workspace) -> None:
    values = write_study(workspace.root / "tiny")
    values["splits"]["survey"] |= {"labels": None, "corrections": None}
    workspace.snakemake(workspace.configure("unlabelled", values))
    results = workspace.root / "tiny/results"
    assert (results / "evaluation/survey/elsewhere/report.html").is_file()
    assert not (results / "evaluation/survey/elsewhere/metrics.json").exists()
    assert not (results / "labels").exists()


def test_results_do_not_depend_on_where_the_project_lies(finished: tuple[Workspace, str], tmp_path: Path) -> None:
    other = make_workspace(tmp_path / "another" / "place")
    option = other.configure("tiny", write_study(other.root / "tiny"))
    other.snakemake(option)
    first = finished[0].root / "tiny/results"
    second = other.root / "tiny/results"
    skipped = {"benchmarks", "logs"}
    names = {path.relative_to(second) for path in second.rglob("*") if path.is_file()}
    # What a hidden file keeps for a restart is in the order in which things came.
    compared = {name for name in names if name.parts[0] not in skipped and not name.name.startswith(".")}
    assert {Path("evaluation/survey/elsewhere/report.html"), Path("provenance.json")} <= compared
    differing = [str(name) for name in sorted(compared) if (first / name).read_bytes() != (second / name).read_bytes()]
    assert differing == []


def test_real_test_split_with_two_teams_predictions(workspace: Workspace) -> None:
    """The candidate labels are likely, not certainly, the official ones; the published scores are 1.62 and 1.45."""
    shared = shared_folder("fathomnet-2025")
    values = {
        "study": "fathomnet-2025-candidate",
        "splits": {
            "test": {
                "annotations": {
                    "uri": str(shared / "dataset_test.json"),
                    "sha256": "d036541281b15752d10962abc7c0a6b12353520c504d13cdcc7863d481e4fd9f",
                },
                "labels": str(shared / "test-labels-candidate.csv"),
            }
        },
        "categories": {"lineages": "config/categories/fathomnet-2025.csv"},
        "models": {
            name: {"predictions": {"test": str(shared / f"predictions-{name}.csv")}} for name in ("winner", "bioclip")
        },
        "predict": {"test": ["winner", "bioclip"]},
        # The pictures are not at hand: without any to show, the report needs none.
        "evaluation": {"bootstrap": 200, "reviewed": 0},
    }
    workspace.snakemake(workspace.configure("real", values))
    results = workspace.root / "results/evaluation/test"
    distances = {}
    for name in ("winner", "bioclip"):
        figures = json.loads((results / name / "metrics.json").read_text())["corrected"]
        assert figures["mean_distance"]["n"] == 788
        distances[name] = figures["mean_distance"]
        predicted = pd.read_csv(shared / f"predictions-{name}.csv").set_index("annotation_id")["concept_name"]
        labels = pd.read_csv(shared / "test-labels-candidate.csv").set_index("annotation_id")["label"]
        assert figures["accuracy"]["value"] == pytest.approx((predicted == labels).mean(), abs=1e-6)
    assert 1.45 <= distances["winner"]["value"] <= 1.62
    assert distances["winner"]["high"] < distances["bioclip"]["low"]


def test_lint_is_clean(workspace: Workspace) -> None:
    done = workspace.snakemake("--lint", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
