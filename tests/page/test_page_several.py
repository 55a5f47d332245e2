"""Several photos on the page: the strip, the queue, the archive, and what is ignored."""

from __future__ import annotations

import io
import re
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.support.browser import LOOKS, Open, choose, playwright, saved, upload, wait
from tests.support.images import Encode, solid_image
from tests.support.paths import SAMPLE

PASTE_TEXT = """() => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", "words");
    document.dispatchEvent(new ClipboardEvent("paste", {bubbles: true, clipboardData}));
}"""


def photos(*names: str) -> list[dict[str, Any]]:
    return [upload(SAMPLE.read_bytes(), name) for name in names]


def item(page: Any, name: str) -> Any:
    """Return the radio button of a photo in the strip."""
    return page.get_by_role("radio", name=re.compile(f"^{re.escape(name)}"))


def expect_progress(page: Any, text: str) -> None:
    playwright.expect(page.locator("#progress")).to_have_text(text, timeout=60_000)


def archive(page: Any) -> tuple[str, zipfile.ZipFile]:
    """Download the archive; return its file name and the archive, whose checksums are right."""
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("button", name="Download all as ZIP").click()
    opened = zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert opened.testzip() is None
    return download.value.suggested_filename, opened


def test_several_photos_are_processed_and_each_can_be_shown(visit: Open, encode: Encode) -> None:
    page = visit()
    small = upload(encode(Image.open(SAMPLE).resize((300, 200)), "PNG"), "small.png")
    choose(page, [*photos("first.jpg"), small, *photos("third.jpg")])
    expect_progress(page, "3 of 3 photos done")
    playwright.expect(page.get_by_role("heading", name="first.jpg")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "name"
    for name, size_wh in (("small.png", (300, 200)), ("third.jpg", (451, 300))):
        item(page, name).check()
        playwright.expect(page.get_by_role("heading", name=name)).to_be_visible()
        playwright.expect(page.locator("#size")).to_have_text(f"{size_wh[0]} × {size_wh[1]}")
        file_name, mask = saved(page, "Mask")
        assert (file_name, mask.size) == (f"{Path(name).stem}-mask.png", size_wh)
    assert page.get_by_role("status").inner_text() == "Saved third-mask.png."


def test_one_photo_has_no_strip(visit: Open) -> None:
    page = visit()
    choose(page, SAMPLE)
    wait(page)
    playwright.expect(page.locator("#batch")).to_be_hidden()
    choose(page, SAMPLE, "Another photo")
    wait(page)
    assert page.locator(".item").count() == 1
    playwright.expect(page.locator("#batch")).to_be_hidden()


def test_at_most_two_requests_are_in_flight_and_the_photo_that_is_shown_goes_first(visit: Open) -> None:
    page, held = visit(), []
    page.route(re.compile("output="), lambda route: held.append(route))
    choose(page, photos("a.jpg", "b.jpg", "c.jpg", "d.jpg"))
    playwright.expect(item(page, "b.jpg Working")).to_be_visible()
    item(page, "d.jpg").check()
    playwright.expect(page.locator("#busy")).to_have_text("Waiting")
    page.wait_for_timeout(500)
    assert len(held) == 2
    held[0].continue_()
    playwright.expect(item(page, "d.jpg Working")).to_be_visible()
    playwright.expect(item(page, "c.jpg Waiting")).to_be_visible()
    assert len(wait_for(page, held, 3)) == 3
    for route in held[1:]:
        route.continue_()
    wait_for(page, held, 4)[3].continue_()
    expect_progress(page, "4 of 4 photos done")


def wait_for(page: Any, held: list[Any], count: int) -> list[Any]:
    """Wait until this many requests are held."""
    deadline = time.monotonic() + 30
    while len(held) < count and time.monotonic() < deadline:
        page.wait_for_timeout(20)
    return held


def test_a_failure_does_not_stop_the_others_and_can_be_retried(visit: Open) -> None:
    page = visit()
    faults = [
        lambda route: route.abort(),
        lambda route: route.fulfill(status=503, json={"detail": "every interpreter is taken"}),
    ]
    page.route(re.compile("output="), lambda route: faults.pop(0)(route) if faults else route.continue_())
    choose(page, photos("a.jpg", "b.jpg", "c.jpg"))
    expect_progress(page, "1 of 3 photos done, 2 failed")
    playwright.expect(item(page, "a.jpg Failed: ")).to_be_visible()
    playwright.expect(item(page, "c.jpg Done")).to_be_visible()
    playwright.expect(page.get_by_role("status")).to_have_text("Done: 1 of 3 photos, 2 failed.")
    playwright.expect(page.get_by_role("alert")).to_contain_text("a.jpg: ")
    item(page, "c.jpg").check()
    playwright.expect(page.get_by_role("alert")).to_be_hidden()
    page.get_by_role("button", name="Retry failed photos").click()
    expect_progress(page, "3 of 3 photos done")
    playwright.expect(page.get_by_role("button", name="Retry failed photos")).to_be_hidden()


@pytest.mark.parametrize(
    ("data", "title", "detail"),
    [
        (b"just some text", "That is not a photo", "The data is text, not an image"),
        (SAMPLE.read_bytes()[:6000], "The photo is damaged", "truncated"),
        (b"", "The function rejected the request|No|Bad", "no photo"),
    ],
)
def test_a_photo_that_can_never_succeed_shows_the_reason_and_no_retry(
    visit: Open, data: bytes, title: str, detail: str
) -> None:
    page = visit()
    choose(page, photos("a.jpg", "b.jpg"))
    expect_progress(page, "2 of 2 photos done")
    choose(page, upload(data, "bad.jpg"), "Add photos")
    expect_progress(page, "2 of 3 photos done, 1 failed")
    playwright.expect(page.get_by_role("alert")).to_contain_text(re.compile(title))
    playwright.expect(page.get_by_role("alert")).to_contain_text(detail)
    for name in ("Try again", "Retry failed photos"):
        playwright.expect(page.get_by_role("button", name=name)).to_be_hidden()
    item(page, "b.jpg").check()
    playwright.expect(page.get_by_role("heading", name="b.jpg")).to_be_visible()
    assert len(archive(page)[1].namelist()) == 2


def test_the_archive_holds_every_result_in_the_view_that_is_shown_under_unique_names(visit: Open) -> None:
    page = visit()
    choose(page, photos("Katze äöü 猫.jpg", "cat.jpg", "cat.png", "CAT.jpeg", "cat-cutout.jpg", ".hidden.jpg"))
    expect_progress(page, "5 of 5 photos done")
    page.get_by_text("Cutout", exact=True).click()
    page.get_by_label("Threshold").fill("0.7")
    name, opened = archive(page)
    assert name == "silhouette-cutout.zip"
    names = [
        "Katze äöü 猫-cutout.png",
        "cat-cutout.png",
        "cat-cutout-2.png",
        "CAT-cutout-3.png",
        "cat-cutout-cutout.png",
    ]
    assert opened.namelist() == names
    assert all(info.compress_type == zipfile.ZIP_STORED for info in opened.infolist())
    assert abs(time.mktime((*opened.infolist()[0].date_time, 0, 0, -1)) - time.time()) < 24 * 3600
    expected = saved(page, "Cutout")[1]
    for member in names:
        assert Image.open(opened.open(member)).tobytes() == expected.tobytes()


def test_names_in_the_archive_hold_no_path(visit: Open) -> None:
    page = visit()
    choose(page, photos("a.jpg", "b.jpg"))
    expect_progress(page, "2 of 2 photos done")
    names = ["..\\up.png", "a/b.png", "tab\t.png", "e\u0301.png", "\u00e9.png"]
    unique = page.evaluate(
        "names => { const used = new Set(); return names.map(name => uniqueName(name, used)); }", names
    )
    assert unique == [".._up.png", "a_b.png", "tab_.png", "é.png", "é-2.png"]


def test_files_that_are_no_images_are_listed_with_the_reason(visit: Open) -> None:
    page = visit()
    files = [
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"text"},
        {"name": "film.mp4", "mimeType": "video/mp4", "buffer": b"film"},
        *photos("cat.jpg"),
        {"name": "empty.jpg", "mimeType": "image/jpeg", "buffer": b""},
        upload(b"\0\0\0\1Bud1", ".DS_Store"),
    ]
    choose(page, files)
    wait(page)
    region = page.get_by_role("region", name="4 items were ignored")
    assert region.get_by_role("listitem").all_inner_texts() == [
        "notes.txt: it is not an image, but text/plain.",
        "film.mp4: it is not an image, but video/mp4.",
        "empty.jpg: the file is empty.",
        ".DS_Store: it is a hidden file.",
    ]
    playwright.expect(page.get_by_role("heading", name="cat.jpg")).to_be_visible()
    playwright.expect(page.locator("#batch")).to_be_hidden()
    region.get_by_role("button", name="Close").click()
    playwright.expect(region).to_be_hidden()


def test_text_that_is_pasted_is_said_to_be_ignored(visit: Open) -> None:
    page = visit()
    page.evaluate(PASTE_TEXT)
    playwright.expect(page.get_by_role("region", name="1 item was ignored")).to_contain_text(
        "What you pasted: it contains no file."
    )
    choose(page, SAMPLE)
    wait(page)
    playwright.expect(page.locator("#ignored")).to_be_hidden()


def test_the_photos_of_a_dropped_folder_are_opened(visit: Open, tmp_path: Path) -> None:
    folder = tmp_path / "holiday"
    (folder / "day 2").mkdir(parents=True)
    (folder / "nothing").mkdir()
    for name in ("10.jpg", "9.jpg", "day 2/11.jpg"):
        (folder / name).write_bytes(SAMPLE.read_bytes())
    (folder / "notes.txt").write_text("text")
    page = visit()
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for event in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": event, "x": 200, "y": 300, "data": data})
    expect_progress(page, "3 of 3 photos done")
    assert page.locator(".item-name").all_inner_texts() == ["9.jpg", "10.jpg", "11.jpg"]
    ignored = page.get_by_role("region", name="2 items were ignored")
    playwright.expect(ignored).to_contain_text("notes.txt: it is not an image, but text/plain.")
    playwright.expect(ignored).to_contain_text("nothing: the folder is empty.")


def test_photos_are_added_to_a_strip_and_removed_all_at_once(visit: Open) -> None:
    page = visit()
    choose(page, photos("a.jpg", "b.jpg"))
    expect_progress(page, "2 of 2 photos done")
    choose(page, photos("c.jpg"), "Add photos")
    expect_progress(page, "3 of 3 photos done")
    playwright.expect(page.get_by_role("heading", name="c.jpg")).to_be_visible()
    page.get_by_role("button", name="Remove all").click()
    for part in ("#batch", "#work"):
        playwright.expect(page.locator(part)).to_be_hidden()
    playwright.expect(page.get_by_role("heading", name="Drop photos here")).to_be_visible()
    choose(page, SAMPLE)
    wait(page)
    playwright.expect(page.locator("#batch")).to_be_hidden()


def test_photos_that_are_removed_during_their_requests_leave_nothing_behind(visit: Open) -> None:
    page, held = visit(), []
    page.route(re.compile("output="), lambda route: held.append(route))
    choose(page, photos("a.jpg", "b.jpg", "c.jpg"))
    wait_for(page, held, 2)
    page.get_by_role("button", name="Remove all").click()
    page.unroute_all()
    choose(page, photos("d.jpg", "e.jpg"))
    expect_progress(page, "2 of 2 photos done")
    assert page.locator(".item").count() == 2


def test_a_photo_that_only_the_function_decodes_is_in_the_strip_and_in_the_archive(visit: Open, encode: Encode) -> None:
    page = visit()
    scan = upload(encode(Image.open(SAMPLE), "TIFF"), "scan.tiff")
    choose(page, [*photos("a.jpg"), scan])
    expect_progress(page, "2 of 2 photos done")
    page.get_by_text("Cutout", exact=True).click()
    expect_progress(page, "2 of 2 photos done")
    playwright.expect(page.get_by_role("status")).to_have_text("Done: 2 of 2 photos.")
    opened = archive(page)[1]
    assert opened.namelist() == ["a-cutout.png", "scan-cutout.png"]
    assert all(Image.open(opened.open(name)).mode == "RGBA" for name in opened.namelist())


def test_with_many_classes_every_photo_is_requested_in_the_view_that_is_shown(visit: Open, http: httpx.Client) -> None:
    about = http.get("/").json()
    about["classes"].append({"id": 2, "name": "tail", "colour": [0, 128, 255]})
    page = visit("/nowhere")
    page.route(re.compile(r"/$"), lambda route: describe(route, about))
    page.goto(page.url.replace("nowhere", ""))
    choose(page, photos("a.jpg", "b.jpg"))
    expect_progress(page, "2 of 2 photos done")
    with page.expect_request(re.compile("output=mask")):
        page.get_by_text("Mask", exact=True).click()
    playwright.expect(page.get_by_role("status")).to_have_text("Done: 2 of 2 photos.")
    theirs = http.post("/?output=mask", content=SAMPLE.read_bytes()).content
    opened = archive(page)[1]
    assert opened.namelist() == ["a-mask.png", "b-mask.png"]
    for name in opened.namelist():
        assert Image.open(opened.open(name)).tobytes() == Image.open(io.BytesIO(theirs)).tobytes()


def describe(route: Any, about: dict[str, Any]) -> None:
    if "application/json" in route.request.headers["accept"]:
        route.fulfill(json=about)
    else:
        route.continue_()


def test_an_unreadable_photo_shows_the_reason(visit: Open, tmp_path: Path) -> None:
    first, second = tmp_path / "first.jpg", tmp_path / "second.jpg"
    for file in (first, second):
        file.write_bytes(SAMPLE.read_bytes())
    page, held = visit(), []
    page.route(re.compile("output="), lambda route: held.append(route))
    choose(page, [first, second])
    wait_for(page, held, 2)
    for route in held:
        route.abort()
    second.unlink()
    expect_progress(page, "0 of 2 photos done, 2 failed")
    page.unroute_all()
    page.get_by_role("button", name="Retry failed photos").click()
    expect_progress(page, "1 of 2 photos done, 1 failed")
    playwright.expect(item(page, "second.jpg Failed: The file cannot be read")).to_be_visible()


def test_the_strip_can_be_used_with_the_keyboard_alone(visit: Open) -> None:
    page = visit(**LOOKS["narrow"])
    choose(page, [upload(solid_image("red"), f"{n}.jpg") for n in range(12)])
    expect_progress(page, "12 of 12 photos done")
    page.locator("#archive").focus()
    while page.evaluate("document.activeElement.name") != "photo":
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    playwright.expect(page.locator("#name")).to_have_text("1.jpg")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    playwright.expect(page.locator("#name")).to_have_text("11.jpg")
    assert page.evaluate("document.activeElement.name") == "photo"
    playwright.expect(page.locator(".item").last).to_be_in_viewport()
