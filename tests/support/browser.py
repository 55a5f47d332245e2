"""A real browser before the page: what the tests of the page share."""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]
LOOKS = {
    "light": {"viewport": {"width": 1280, "height": 860}},
    "dark": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "dark"},
    "narrow": {"viewport": {"width": 375, "height": 812}, "is_mobile": True, "has_touch": True},
    "narrow dark": {"viewport": {"width": 375, "height": 812}, "is_mobile": True, "color_scheme": "dark"},
}
Open = Callable[..., Any]


@contextmanager
def browser() -> Iterator[Any]:
    """Start chromium; skip where it is not installed."""
    if not CHROMIUM:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield running
        running.close()


@contextmanager
def visits(browser: Any, server: str) -> Iterator[Open]:
    """Give a function that opens the page; at the end, it has asked nobody else and broken no rule of its policy."""
    asked, said, contexts = set(), [], []

    def visit(path: str = "/", **look: Any) -> Any:
        contexts.append(browser.new_context(**{**LOOKS["light"], **look}))
        page = contexts[-1].new_page()
        page.on("request", lambda request: asked.add(re.sub(r"^blob:", "", request.url)))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(f"uncaught: {error}"))
        page.goto(server + path)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not [url for url in asked if not url.startswith((server, "data:"))]
    assert not [line for line in said if "Content Security Policy" in line or "uncaught" in line]


def choose(page: Any, photo: Path | dict[str, Any], button: str = "Choose a photo") -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=button).click()
    chooser.value.set_files(photo)


def upload(data: bytes, name: str = "photo.jpg") -> dict[str, Any]:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


def wait(page: Any) -> Any:
    """Wait for the result, and give the page."""
    playwright.expect(page.get_by_role("status")).to_contain_text("Done", timeout=60_000)
    return page


def saved(page: Any, view: str) -> tuple[str, Image.Image]:
    """Switch the view and download it."""
    page.get_by_text(view, exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download PNG").click()
    image = Image.open(download.value.path())
    image.load()
    return download.value.suggested_filename, image


def answer(page: Any, scores: Image.Image) -> None:
    """Let the function answer with known scores."""
    file = io.BytesIO()
    scores.save(file, "PNG")
    timing = {"Server-Timing": "wait;dur=0.1, decode;dur=2.4, infer;dur=16.5"}
    page.route(
        re.compile(r"output=probability"),
        lambda route: route.fulfill(body=file.getvalue(), content_type="image/png", headers=timing),
    )


def audit(page: Any) -> list[str]:
    """Let axe look at the page, and give what it objects to."""
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="axe-core-python is not installed").Axe()
    return [f"{found['id']}: {found['nodes'][0]['html']}" for found in axe.run(page)["violations"]]
