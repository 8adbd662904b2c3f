"""Take the pictures of docs/ and the README from a report of the demo study, whose scenes are drawn."""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page, sync_playwright

#: Colours of a picture: enough for charts and drawn animals, few enough for small files.
COLOURS = 160


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("report", type=Path, help="report.html of the demo, with a correction applied")
    result.add_argument("--output", type=Path, default=Path(__file__).parent / "images", help="folder for the pictures")
    return result


def save(png: bytes, path: Path) -> None:
    """Write a picture small."""
    picture = Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)


def clip(page: Page, parts: list[Locator], width: float | None = None) -> bytes:
    """Take a picture of the smallest rectangle around some elements, wherever they are on the page."""
    page.evaluate("scrollTo(0, 0)")
    boxes = [box for part in parts if (box := part.bounding_box())]
    left, top = min(box["x"] for box in boxes) - 12, min(box["y"] for box in boxes) - 12
    right = left + width if width else max(box["x"] + box["width"] for box in boxes) + 12
    bottom = max(box["y"] + box["height"] for box in boxes) + 12
    area = {"x": max(left, 0), "y": max(top, 0), "width": right - left, "height": bottom - top}
    return page.screenshot(full_page=True, clip=area)  # type: ignore[arg-type]


def main(arguments: argparse.Namespace) -> None:
    """Take all pictures."""
    out: Path = arguments.output
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1360, "height": 960})
        page.goto(arguments.report.resolve().as_uri())
        save(page.screenshot(), out / "report.png")
        page.select_option("#matrix-map", "family")
        save(clip(page, [page.locator("#confusion-title"), page.locator("#matrix table")], 900), out / "matrix.png")
        page.locator("#reviewer").fill("Ada")
        cards = page.locator("#gallery .card")
        cards.nth(0).locator("[data-verdict=label]").click()
        cards.nth(1).locator("[data-verdict=model]").click()
        cards.nth(1).locator(".reason").fill("the colony is bent by the current")
        page.locator("#reviewer").press("Tab")
        save(clip(page, [cards.nth(0), cards.nth(1)]), out / "card.png")
        save(clip(page, [page.locator("#corrections")]), out / "corrections.png")
        browser.close()


if __name__ == "__main__":
    main(parser().parse_args())
