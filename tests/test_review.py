"""The report as a reviewer uses it, in a real browser: from a file to a correction that is applied."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browser_page import Watched, axe_source, chromium, serious_issues
from conftest import make_workspace
from evaluation_case import write_case
from study import write_study
from test_comparison import compare
from test_report import pictures_of, render

NASTY = '<img src=x onerror="document.title=1">'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a report on the case that fits on paper, with pictures, a nasty name and a file name with quotes."""
    folder = tmp_path_factory.mktemp("paper")
    boxes = [(1, 1, "Porifera", NASTY, 0.9), (2, 1, "Pandalus amplus", "Pandalus platyceros", 0.8)]
    boxes += [(3, 2, "Decapoda", "Pandalus amplus", 0.7), (4, 3, "Porifera", "Porifera", 0.99)]
    paths = write_case(folder, boxes=boxes)
    regions = paths["regions"]
    regions.write_text(regions.read_text().replace("image-1.png", '"im""a\'ge<b>-1.png"'))
    render(paths, folder, options=pictures_of(paths, folder))
    return folder / "report.html"


def download(page: Page, button: str) -> str:
    with page.expect_download() as pending:
        page.locator(button).click()
    return Path(pending.value.path()).read_text(encoding="utf-8")


def mark(page: Page, box: int, verdict: str) -> None:
    page.locator(f'#gallery .card[data-box="{box}"] [data-verdict="{verdict}"]').click()


@pytest.mark.workflow
def test_from_the_report_to_applied_corrections(browser: Browser, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "clone")
    option = workspace.configure("tiny", write_study(workspace.root / "tiny"))
    workspace.snakemake(option)
    report = workspace.root / "tiny/results/evaluation/survey/elsewhere/report.html"
    context = browser.new_context(accept_downloads=True)
    watched = Watched(context, report)
    page = watched.page
    expect(page.locator("#summary .big").first).to_have_text("81.2 %")
    page.select_option("#matrix-map", "family")
    cell = page.get_by_role("button", name="labelled Elpidiidae, predicted Sebastidae: 1 box")
    cell.click()
    dialog = page.locator("#boxes-dialog")
    expect(dialog.locator("h2")).to_contain_text("labelled Elpidiidae, predicted Sebastidae")
    expect(dialog.locator(".card")).to_have_count(1)
    expect(dialog.locator(".card img.crop")).to_have_js_property("complete", True)
    assert dialog.locator(".card img.crop").evaluate("image => image.naturalWidth") > 0
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()

    expect(page.locator("#gallery .card")).to_have_count(3)
    mark(page, 6, "label")
    expect(page.locator('[data-box="6"] .new-label')).to_have_value("Sebastes")
    page.locator('#gallery [data-box="6"] .reason').fill('a "fish", clearly')
    # By keyboard: the card takes 1 as "label wrong".
    page.locator('#gallery .card[data-box="3"]').focus()
    page.keyboard.press("1")
    mark(page, 12, "label")
    page.locator('#gallery [data-box="12"] .new-label').select_option("Elpidia")
    page.locator("#download-corrections").click()
    expect(page.locator("#review-message")).to_contain_text("Give your name first")
    page.locator("#reviewer").fill("Ada")
    page.locator("#reviewer").press("Tab")

    page.reload()
    expect(page.locator("#reviewer")).to_have_value("Ada")
    expect(page.locator("#gallery .card.marked")).to_have_count(3)
    expect(page.locator("#review-state")).to_contain_text("3 label wrong")
    text = download(page, "#download-corrections")
    rows = list(csv.reader(text.splitlines()))
    assert rows[0] == ["annotation_id", "old_label", "new_label", "reason", "reviewer", "date"]
    assert [row[:5] for row in rows[1:]] == [
        ["3", "Peniagone", "Elpidia", "prediction confirmed on review", "Ada"],
        ["6", "Elpidia", "Sebastes", 'a "fish", clearly', "Ada"],
        ["12", "Sebastes diploproa", "Elpidia", "relabelled on review", "Ada"],
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", row[5]) for row in rows[1:])

    (workspace.root / "tiny/corrections.csv").write_text(text)
    workspace.snakemake(option)
    page.goto(watched.url)
    expect(page.locator("#summary")).to_contain_text("3 corrected labels applied")
    expect(page.locator("#summary .big").first).to_have_text("93.8 %")
    expect(page.locator("#corrections tbody tr")).to_have_count(3)
    page.select_option("#gallery-status", "applied")
    expect(page.locator("#gallery .applied-note")).to_have_count(3)
    expect(page.locator('#gallery [data-box="6"] .applied-note')).to_contain_text("Elpidia → Sebastes")
    # What is applied stays in the file that the next review downloads, until someone withdraws it.
    assert download(page, "#download-corrections") == text
    page.select_option("#gallery-status", "")
    mark(page, 3, "withdrawn")
    assert [line.split(",")[0] for line in download(page, "#download-corrections").splitlines()[1:]] == ["6", "12"]
    assert watched.faults == []
    context.close()


def test_names_and_files_stay_text(browser: Browser, paper: Path) -> None:
    context = browser.new_context()
    watched = Watched(context, paper)
    page = watched.page
    expect(page.locator('#gallery .card[data-box="1"] .names .prediction')).to_have_text(re.compile(re.escape(NASTY)))
    assert page.locator("img[src=x]").count() == 0
    assert page.locator('#gallery [data-box="1"] .frame img').get_attribute("alt") == (
        "im\"a'ge<b>-1.png, with box 1 outlined"
    )
    page.locator('#gallery [data-box="1"] .pictures').click()
    expect(page.locator('#gallery [data-box="1"]')).to_have_class(re.compile("large"))
    page.locator('button[data-label="Porifera"]').first.click()
    expect(page.locator("#dialog-title")).to_contain_text(NASTY)
    expect(page).to_have_title(re.compile("hand on survey"))
    assert watched.faults == []
    context.close()


def test_a_downloaded_review_is_continued_in_another_browser(browser: Browser, paper: Path, tmp_path: Path) -> None:
    context = browser.new_context(accept_downloads=True)
    page = Watched(context, paper).page
    page.locator("#reviewer").fill("Ada")
    mark(page, 2, "label")
    mark(page, 3, "model")
    mark(page, 1, "unclear")
    page.locator('#gallery [data-box="3"] .reason').fill("two animals, one box")
    page.locator('#gallery [data-box="3"] .reason').press("Tab")
    notes = tmp_path / "notes.csv"
    notes.write_text(download(page, "#download-notes"))
    corrections = tmp_path / "corrections.csv"
    corrections.write_text(download(page, "#download-corrections") + "99,a,b,r,me,2026-01-31\n")
    context.close()

    context = browser.new_context()
    watched = Watched(context, paper)
    page = watched.page
    page.set_input_files("#load-review", corrections)
    expect(page.locator("#review-message")).to_contain_text("1 row taken from corrections.csv. row 3: no box 99")
    expect(page.locator("#gallery .card.marked")).to_have_count(1)
    page.set_input_files("#load-review", notes)
    expect(page.locator("#review-message")).to_contain_text("3 rows taken")
    expect(page.locator("#review-state")).to_contain_text("1 label wrong, 1 model wrong, 1 unclear")
    expect(page.locator('#gallery [data-box="3"] .reason')).to_have_value("two animals, one box")
    assert watched.faults == []
    context.close()


def test_verdicts_from_before_a_rebuild_are_taken_up_where_they_still_fit(browser: Browser, paper: Path) -> None:
    context = browser.new_context()
    watched = Watched(context, paper)
    page = watched.page
    mark = '{verdict: "model", label: "%s", newLabel: "", reason: "before", reviewer: "Ada", date: "2026-01-31"}'
    marks = f"{{3: {mark % 'Decapoda'}, 2: {mark % 'no longer its label'}}}"
    page.evaluate(f"localStorage.setItem('fathomflow:paper:survey:hand:0123', JSON.stringify({{marks: {marks}}}))")
    page.reload()
    page.get_by_role("button", name="Take up 1 verdict from before the last rebuild").click()
    expect(page.locator('#gallery [data-box="3"] .reason')).to_have_value("before")
    expect(page.locator("#gallery .card.marked")).to_have_count(1)
    assert watched.faults == []
    context.close()


def test_pages_without_review_work_too(browser: Browser, tmp_path: Path) -> None:
    compare(tmp_path / "compared")
    paths = write_case(tmp_path / "unlabelled", labels=False)
    render(paths, tmp_path / "unlabelled", labelled=False)
    source = axe_source()
    context = browser.new_context()
    for page_file, cards in (("compared/comparison.html", 2), ("unlabelled/report.html", 8)):
        watched = Watched(context, tmp_path / page_file)
        expect(watched.page.locator("#gallery .card")).to_have_count(cards)
        expect(watched.page.locator("#gallery .verdicts")).to_have_count(0)
        assert watched.faults == []
        assert serious_issues(watched.page, source) == []
    context.close()


def test_the_report_prints(browser: Browser, paper: Path) -> None:
    context = browser.new_context()
    page = Watched(context, paper).page
    page.emulate_media(media="print")
    expect(page.locator("#review-bar")).not_to_be_visible()
    expect(page.locator("#gallery .card").first).to_be_visible()
    assert page.pdf().startswith(b"%PDF")
    context.close()


def test_the_keyboard_reaches_everything(browser: Browser, paper: Path) -> None:
    context = browser.new_context()
    watched = Watched(context, paper)
    page = watched.page
    page.locator("#matrix button").first.focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.closest('#matrix') !== null")
    page.keyboard.press("Enter")
    expect(page.locator("#boxes-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    cards = page.locator("#gallery .card")
    cards.first.focus()
    page.keyboard.press("j")
    expect(cards.nth(1)).to_be_focused()
    page.keyboard.press("2")
    expect(cards.nth(1).locator('[data-verdict="model"]')).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("0")
    expect(page.locator("#gallery .card.marked")).to_have_count(0)
    page.locator("#category-table th button", has_text="Boxes").press("Enter")
    expect(page.locator("#category-table th").nth(1)).to_have_attribute("aria-sort", "descending")
    expect(page.locator("#category-table tbody tr").first).to_contain_text("Porifera")
    page.locator('[data-filter="category-table"]').fill("decapoda")
    expect(page.locator("#category-table tbody tr:visible")).to_have_count(1)
    assert watched.faults == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
def test_no_serious_accessibility_issue_and_no_sideways_scrolling(
    browser: Browser, paper: Path, scheme: str, width: int
) -> None:
    source = axe_source()
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    page = Watched(context, paper).page
    mark(page, 2, "label")
    assert serious_issues(page, source) == []
    page.locator("#matrix button").first.click()
    assert serious_issues(page, source) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
