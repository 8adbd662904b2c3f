"""Headless Chromium for tests: pages that may not log errors or ask for anything outside themselves."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

BROWSER_FOLDER = Path(__file__).parent / "browser"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium, or skip the test and say that it is missing."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("Chromium is absent (apt install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """A page and what it did that it should not: console errors, exceptions, requests beyond its own file."""

    def __init__(self, context: BrowserContext, path: Path) -> None:
        self.page: Page = context.new_page()
        self.faults: list[str] = []
        self.url = path.resolve().as_uri()
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))
        self.page.on("request", lambda request: self._request(request.url))
        self.page.goto(self.url)

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.faults.append(f"{kind}: {text}")

    def _request(self, url: str) -> None:
        if url.split("#")[0] != self.url and not url.startswith(("data:", "blob:")):
            self.faults.append(f"request: {url}")


def axe_source() -> str:
    """Return the accessibility checker, installing it with npm where it is not there yet; skip without npm."""
    source = BROWSER_FOLDER / "node_modules" / "axe-core" / "axe.min.js"
    if not source.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is absent, so axe-core cannot be installed (apt install npm)")
        command = [npm, "ci", "--no-audit", "--no-fund", "--prefix", str(BROWSER_FOLDER)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            pytest.skip(f"axe-core could not be installed: {done.stderr.strip()[-300:]}")
    return source.read_text(encoding="utf-8")


def serious_issues(page: Page, source: str) -> list[str]:
    """Run axe-core and list the serious and critical issues, with where they are."""
    # evaluate runs in the page's world but past its content security policy, which a script element would not.
    page.evaluate(source + "; undefined")
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{issue['id']} ({issue['impact']}): {node['html'][:160]} {node['failureSummary'][:200]}"
        for issue in found["violations"]
        if issue["impact"] in ("serious", "critical")
        for node in issue["nodes"][:3]
    ]
