"""Accessibility and layout of the page: keyboard, axe, wide and narrow, light and dark."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFilter

from tests.support.browser import LOOKS, Open, audit, choose, playwright, upload, wait
from tests.support.paths import SAMPLE


def shape(size_wh: tuple[int, int]) -> Image.Image:
    """Draw probabilities in the shape of a head and shoulders."""
    width, height = size_wh
    grey = Image.new("L", size_wh)
    ImageDraw.Draw(grey).ellipse((width * 0.06, -height * 0.3, width * 0.86, height * 0.98), fill=255)
    ImageDraw.Draw(grey).ellipse((-width * 0.2, height * 0.5, width * 0.5, height * 1.5), fill=255)
    return grey.filter(ImageFilter.GaussianBlur(width / 60))


def test_the_page_can_be_used_with_the_keyboard_alone(visit: Open) -> None:
    page = visit()
    focus(page, "sample")
    page.keyboard.press("Enter")
    wait(page)
    assert page.evaluate("document.activeElement.id") == "name"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert page.locator("[value=cutout]").is_checked()
    focus(page, "threshold")
    page.keyboard.press("End")
    playwright.expect(page.locator("#level")).to_have_text("0.99")
    focus(page, "download")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "sample-cutout.png"


def focus(page: Any, name: str) -> None:
    """Press Tab until the element with this id has the focus."""
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == name:
            return
    raise AssertionError(f"{name} cannot be reached with Tab")


def checker(page: Any, look: str, tmp_path: Path) -> Callable[[str], None]:
    """Return a function that takes a screenshot of a state and checks it with axe and for overflow."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)

    def check(state: str) -> None:
        page.wait_for_timeout(300)  # transitions end
        page.screenshot(path=folder / f"{look}-{state}.png", full_page=True)
        assert audit(page) == [], state
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), state

    return check


@pytest.mark.parametrize("look", LOOKS)
def test_axe_reports_no_violation_and_nothing_overflows_in_any_state(visit: Open, tmp_path: Path, look: str) -> None:
    page = visit(**LOOKS[look])
    check = checker(page, look, tmp_path)
    check("welcome")
    choose(page, upload(b"text", "notes.txt"))
    playwright.expect(page.get_by_role("alert")).to_be_visible()
    check("error")
    held: list[Any] = []
    page.route(re.compile("output=probability"), lambda route: held.append(route))
    choose(page, SAMPLE)
    playwright.expect(page.locator("#busy")).to_be_visible()
    check("busy")
    file = io.BytesIO()
    shape((451, 300)).save(file, "PNG")
    held[0].fulfill(body=file.getvalue(), content_type="image/png", headers={"Server-Timing": "infer;dur=16.5"})
    wait(page)
    page.get_by_text("Command line").click()
    for view in ("Mask", "Overlay", "Cutout"):
        page.get_by_text(view, exact=True).click()
        check(view.lower())


@pytest.mark.parametrize("look", LOOKS)
def test_axe_reports_no_violation_and_nothing_overflows_with_several_photos(
    visit: Open, tmp_path: Path, look: str
) -> None:
    page = visit(**LOOKS[look])
    check = checker(page, look, tmp_path)
    held: list[Any] = []
    page.route(re.compile("output=probability"), lambda route: held.append(route))
    photos = [upload(SAMPLE.read_bytes(), f"a cat with a long name {n}.jpg") for n in range(6)]
    choose(page, [*photos[:2], upload(b"text", "letter.doc"), *photos[2:], upload(b"", "empty.jpg")])
    playwright.expect(page.locator(".item[data-state=working]")).to_have_count(2)
    check("several-working")
    file = io.BytesIO()
    shape((451, 300)).save(file, "PNG")
    answers: list[dict[str, Any]] = [{"body": file.getvalue(), "content_type": "image/png"}] * 4
    answers += [{"status": 503, "json": {"detail": "every interpreter is taken"}}] * 2
    for number, response in enumerate(answers):
        while len(held) <= number:
            page.wait_for_timeout(20)
        held[number].fulfill(**response)
    playwright.expect(page.locator("#progress")).to_have_text("4 of 7 photos done, 3 failed")
    page.get_by_text("Cutout", exact=True).click()
    check("several-done")
    page.get_by_role("radio", name="letter.doc").check()
    check("several-failed")
