"""The FiftyOne stage as people use it: built by Snakemake, looked at in a browser, and back into the report."""

import contextlib
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import fiftyone as fo
import pandas as pd
import pytest
from playwright.sync_api import Locator, Page, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from conftest import Workspace, make_workspace
from fathomflow.curation.database import open_database
from fathomflow.curation.place import Place
from study import write_study

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, str]:
    """Return a workspace in which the tiny study's dataset has been built, and its configuration option."""
    workspace = make_workspace(tmp_path_factory.mktemp("curated") / "clone")
    values = write_study(workspace.root / "tiny") | {"fiftyone": {"dataset": "tiny-survey"}}
    option = workspace.configure("tiny", values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(workspace.root / "home"))
        workspace.snakemake(option, "--", "fiftyone", "report")
    return workspace, option


@contextmanager
def app(workspace: Workspace) -> Iterator[str]:
    """Keep the App open as `make app` does, and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "scripts/open_app.py", "--configuration", "config/tiny.yaml", "--no-browser"]
    command += ["--port", str(port)]
    with subprocess.Popen(command, cwd=workspace.root, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "the App is at" in line:
                break
        else:
            pytest.fail("the App did not start:\n" + "".join(lines))
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            rest = process.stderr.read()
    assert process.returncode == 0, rest
    assert "Traceback" not in rest


@contextmanager
def page_of(address: str) -> Iterator[tuple[Page, list[str]]]:
    """Open a page in Chromium, and collect the requests that leave this machine."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        strangers: list[str] = []
        page.on("request", lambda one: strangers.append(one.url) if re.match("https?://(?!127)", one.url) else None)
        # The App advertises at first, over everything.
        advertised = page.get_by_text("Dismiss", exact=True).locator("visible=true")
        page.add_locator_handler(advertised, lambda button: button.first.click())
        page.goto(address, timeout=90_000)
        yield page, strangers
        browser.close()


def see(page: Page, text: str | re.Pattern[str]) -> Locator:
    """Return the first element with a text that can be seen."""
    return page.get_by_text(text).locator("visible=true").first


def test_the_dataset_is_built_only_when_asked_for(finished: tuple[Workspace, str]) -> None:
    workspace, option = finished
    state = json.loads((workspace.root / "tiny/results/fiftyone/tiny-survey.json").read_text())
    assert state["boxes"] == {"survey": 16}
    assert state["images"] == {"survey": 8}
    assert state["models"] == {"elsewhere": {"field": "elsewhere", "predictions": 16}}
    assert workspace.planned(option, "--", "fiftyone") == {}
    assert "build_dataset" not in workspace.planned(option, "--forceall")
    assert not (workspace.root / "home/.fiftyone").exists(), "everything lies in the results"


def test_a_round_trip_through_the_app(finished: tuple[Workspace, str]) -> None:
    workspace, option = finished
    results = workspace.root / "tiny/results"
    database = results / "fiftyone/database"
    with app(workspace) as address:
        with page_of(address) as (page, strangers):
            # The view has the three boxes that differ; the panel beside it has the run with the report's accuracy.
            see(page, re.compile(r"^3 patches")).wait_for(timeout=90_000)
            # A click that comes while the panel still draws itself is lost.
            for _ in range(6):
                see(page, "elsewhere_survey").click(timeout=60_000)
                with contextlib.suppress(PlaywrightTimeoutError):
                    see(page, "Accuracy").wait_for(timeout=20_000)
                    break
            figures = json.loads((results / "evaluation/survey/elsewhere/metrics.json").read_text())["corrected"]
            # 13 of 16 boxes: 0.8125, which the panel rounds.
            assert figures["accuracy"]["value"] == 0.8125
            see(page, "0.813").wait_for(timeout=20_000)
            # The App's page names a font; nothing about its use leaves the machine.
            assert [url for url in strangers if "fonts.googleapis.com" not in url] == []
        # Someone decides, while the App is open.
        port = json.loads((database / "server.json").read_text())["port"]
        with open_database(Place(database, f"mongodb://127.0.0.1:{port}/")):
            dataset = fo.load_dataset("tiny-survey")
            for sample in dataset:
                for detection in sample["ground_truth"].detections:
                    if detection["annotation_id"] == 3:
                        detection.label = "Elpidia"
                        detection.tags = ["label_error"]
                        detection["reason"] = "tail seen"
                    if detection["annotation_id"] == 12:
                        detection.tags = ["unclear"]
                for detection in sample["elsewhere"].detections:
                    if detection["annotation_id"] == 6:
                        detection.tags = ["label_error"]
                sample.save()
        forced = ("--forcerun", "export_corrections")
        workspace.snakemake(option, *forced, "--", "corrections")
        exported = results / "fiftyone/corrections/survey.csv"
        first = exported.read_bytes()
        rows = pd.read_csv(exported).set_index("annotation_id")
        assert rows[["old_label", "new_label"]].to_dict("index") == {
            3: {"old_label": "Peniagone", "new_label": "Elpidia"},
            6: {"old_label": "Elpidia", "new_label": "Sebastes"},
        }
        assert rows.loc[3, "reason"] == "tail seen"
        verdicts = pd.read_csv(results / "fiftyone/corrections/survey.verdicts.csv")
        assert set(zip(verdicts["annotation_id"], verdicts["verdict"], strict=True)) == {
            (3, "label_error"),
            (6, "label_error"),
            (12, "unclear"),
        }
        # The same decisions give the same bytes, and the corrections go the way of all others.
        workspace.snakemake(option, *forced, "--", "corrections")
        assert exported.read_bytes() == first
        shutil.copy(exported, workspace.root / "tiny/corrections.csv")
        jobs = workspace.planned(option, "--", "report", "fiftyone")
        assert {"apply_corrections", "evaluate_predictions", "render_report", "build_dataset"} <= set(jobs)
        assert not {"read_annotations", "gather_images", "import_predictions"} & set(jobs)
        workspace.snakemake(option, "--", "report", "fiftyone")
    report = (results / "evaluation/survey/elsewhere/report.html").read_text()
    assert "tail seen" in report
    with open_database(Place(database)):
        dataset = fo.load_dataset("tiny-survey")
        dataset.reload()
        tags = {
            key: tags
            for keys, some in zip(
                *dataset.values([f"ground_truth.detections.{name}" for name in ("annotation_id", "tags")]), strict=True
            )
            for key, tags in zip(keys, some, strict=True)
            if tags
        }
        assert tags == {3: ["label_corrected"], 6: ["label_corrected"], 12: ["unclear"]}
        assert dataset.count_label_tags("elsewhere") == {}
        assert len(dataset.load_saved_view("survey, elsewhere: potential label errors")) == 1
    # What was exported and applied is no new decision.
    workspace.snakemake(option, "--forcerun", "export_corrections", "--", "corrections")
    assert exported.read_bytes() == first


def test_a_lost_database_is_built_again(finished: tuple[Workspace, str]) -> None:
    workspace, option = finished
    state = workspace.root / "tiny/results/fiftyone/tiny-survey.json"
    before = state.read_bytes()
    shutil.rmtree(workspace.root / "tiny/results/fiftyone/database")
    assert "build_dataset" in workspace.planned(option, "--", "fiftyone")
    workspace.snakemake(option, "--", "fiftyone")
    assert state.read_bytes() == before
    log = (workspace.root / "tiny/results/logs/build_dataset.log").read_text()
    assert "there is none in the database: building dataset 'tiny-survey'" in log


def test_a_password_in_the_configuration_is_refused(workspace: Workspace) -> None:
    values = write_study(workspace.root / "tiny")
    values["fiftyone"] = {"dataset": "tiny", "database_uri": "mongodb://someone:secret@example.org/"}
    done = workspace.snakemake(workspace.configure("leaky", values), "-n", check=False)
    assert done.returncode != 0
    assert "fiftyone.database_uri: " in done.stdout + done.stderr
    assert "secret" not in done.stdout + done.stderr
