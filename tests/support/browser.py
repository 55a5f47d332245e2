"""Chromium, driven by Playwright, for the tests of the page."""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 860}},
    "dark": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "dark"},
    "narrow": {"viewport": {"width": 375, "height": 812}, "is_mobile": True, "has_touch": True},
    "narrow dark": {"viewport": {"width": 375, "height": 812}, "is_mobile": True, "color_scheme": "dark"},
}
Open = Callable[..., Any]


@contextmanager
def launch_chromium() -> Iterator[Any]:
    """Start Chromium; skip the test if it is not installed."""
    if not CHROMIUM:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def page_opener(browser: Any, server: str) -> Iterator[Open]:
    """Yield a function that opens the page.

    At the end, check that the page sent no request to another server and kept to its content security policy.
    """
    urls, messages, contexts = set(), [], []

    def visit(path: str = "/", **look: Any) -> Any:
        contexts.append(browser.new_context(**{**LOOKS["light"], **look}))
        page = contexts[-1].new_page()
        page.on("request", lambda request: urls.add(re.sub(r"^blob:", "", request.url)))
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(f"uncaught: {error}"))
        page.goto(server + path)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not [url for url in urls if not url.startswith((server, "data:"))]
    assert not [line for line in messages if "Content Security Policy" in line or "uncaught" in line]


def choose(page: Any, photos: Any, button: str = "Choose photos") -> None:
    """Choose one file, or a list of files, with the file chooser that a button opens."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=button).click()
    chooser.value.set_files(photos)


def upload(data: bytes, name: str = "photo.jpg") -> dict[str, Any]:
    """Return bytes in the form that a file chooser of Playwright takes."""
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


def wait(page: Any) -> Any:
    """Wait for the result, and return the page."""
    playwright.expect(page.get_by_role("status")).to_contain_text("Done", timeout=60_000)
    return page


def saved(page: Any, view: str) -> tuple[str, Image.Image]:
    """Switch to a view and download it; return the file's name and the image."""
    page.get_by_text(view, exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download PNG").click()
    image = Image.open(download.value.path())
    image.load()
    return download.value.suggested_filename, image


def answer(page: Any, scores: Image.Image) -> None:
    """Replace the function's answers by these probabilities."""
    file = io.BytesIO()
    scores.save(file, "PNG")
    timing = {"Server-Timing": "wait;dur=0.1, decode;dur=2.4, infer;dur=16.5"}
    page.route(
        re.compile(r"output=probability"),
        lambda route: route.fulfill(body=file.getvalue(), content_type="image/png", headers=timing),
    )


def audit(page: Any) -> list[str]:
    """Return the accessibility violations that axe reports."""
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="axe-core-python is not installed").Axe()
    return [f"{violation['id']}: {violation['nodes'][0]['html']}" for violation in axe.run(page)["violations"]]
