"""The page, in a real browser, before the real function."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageChops

from tests.support.browser import LOOKS, Open, answer, audit, choose, playwright, saved, upload, wait
from tests.support.images import Encode
from tests.support.paths import SAMPLE

DROP = """([bytes, name, event]) => {
    const data = new DataTransfer(), options = {bubbles: true, cancelable: true};
    data.items.add(new File([new Uint8Array(bytes)], name));
    document.dispatchEvent(event === "drop"
        ? new DragEvent("drop", {...options, dataTransfer: data})
        : new ClipboardEvent("paste", {...options, clipboardData: data}));
}"""

SEEN = """image => {
    const canvas = document.createElement("canvas");
    Object.assign(canvas, {width: image.naturalWidth, height: image.naturalHeight});
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL();
}"""


def test_a_browser_gets_the_page_and_other_clients_get_json(http: httpx.Client) -> None:
    browsers = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
    assert http.get("/", headers={"Accept": browsers}).headers["content-type"] == "text/html; charset=utf-8"
    for accept in ("*/*", "application/json", "", "text/html;q=0.5, application/json"):
        assert http.get("/", headers={"Accept": accept}).headers["content-type"] == "application/json"
    assert http.get("/", headers={"Accept": browsers}).headers["vary"] == "Accept"


def test_the_content_security_policy_allows_only_the_script_and_style_of_the_page_by_hash(http: httpx.Client) -> None:
    page = http.get("/", headers={"Accept": "text/html"})
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert len(re.findall(r"'sha256-[\w+/]{43}='", policy)) == 2
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page.text)
    assert not re.search(r"\s(style|on\w+)=", page.text.partition("<body>")[2].partition("<script>")[0])


def test_the_mask_overlay_and_cutout_of_the_sample_equal_those_of_the_function(visit: Open, http: httpx.Client) -> None:
    page = visit()
    page.get_by_role("button", name="Try the sample").click()
    wait(page)
    for view in ("mask", "overlay", "cutout"):
        name, ours = saved(page, view.capitalize())
        theirs = Image.open(io.BytesIO(http.post(f"/?output={view}", content=SAMPLE.read_bytes()).content))
        assert name == f"sample-{view}.png"
        assert ours.size == theirs.size == (451, 300)
        if view == "cutout":
            assert np.abs(np.asarray(ours)[..., 3].astype(int) - np.asarray(theirs)[..., 3]).max() <= 1
        else:
            apart = np.asarray(ImageChops.difference(ours.convert("RGB"), theirs.convert("RGB")))
            assert np.percentile(apart, 99) <= (0 if view == "mask" else 3)


def test_the_photo_and_the_elapsed_time_are_shown_during_the_request(visit: Open) -> None:
    page, held = visit(), []
    page.route(re.compile("output="), lambda route: held.append(route))
    choose(page, SAMPLE)
    busy = page.locator("#busy")
    playwright.expect(busy).to_have_text(re.compile(r"Segmenting · \d+\.\d s"))
    playwright.expect(page.get_by_role("img", name="The photo")).to_be_visible()
    playwright.expect(page.get_by_role("status")).to_have_text("Processing the photo.")
    held[0].continue_()
    playwright.expect(wait(page).locator("#busy")).to_be_hidden()
    assert re.match(r"\d+\.\d\d s, \d+ ms in the function", page.locator("#time").inner_text())


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_several_photos_can_be_dropped_or_pasted_one_after_another(visit: Open, way: str) -> None:
    page = visit()
    for name in ("first.jpg", "second.jpg"):
        page.evaluate(DROP, [list(SAMPLE.read_bytes()), name, way])
        playwright.expect(page.get_by_role("heading", name=name)).to_be_visible()
        wait(page)


def test_the_camera_button_is_shown_on_touch_devices_only(visit: Open) -> None:
    assert not visit().get_by_role("button", name="Take a photo").first.is_visible()
    page = visit(**LOOKS["narrow"])
    choose(page, SAMPLE, "Take a photo")
    assert page.locator("#camera").get_attribute("capture") == "environment"
    wait(page)


def test_the_threshold_redraws_without_a_request(visit: Open) -> None:
    page = visit()
    answer(page, Image.linear_gradient("L").resize((451, 300)))
    choose(page, SAMPLE)
    wait(page)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    white = {}
    for value in ("0.2", "0.8"):
        page.get_by_label("Threshold").fill(value)
        playwright.expect(page.locator("#level")).to_have_text(f"{value}0")
        white[value] = np.asarray(saved(page, "Mask")[1].convert("L")).mean() / 255
        assert page.locator("#share").inner_text() == f"{white[value] * 100:.0f} %"
        assert f"output=mask&threshold={value}" in page.locator("#curl").text_content()
    assert white["0.2"] == pytest.approx(0.8, abs=0.01)
    assert white["0.8"] == pytest.approx(0.2, abs=0.01)
    assert not [url for url in requests if not url.startswith("blob:")]


def test_the_divider_moves_by_mouse_and_by_keyboard(visit: Open) -> None:
    page = visit()
    choose(page, SAMPLE)
    wait(page)
    slider, box = page.get_by_label("Divider between photo and result"), page.locator("#stage").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + 30)
    assert slider.input_value() == "25"
    line = page.locator("#line").bounding_box()
    assert line["x"] + 1 == pytest.approx(box["x"] + box["width"] * 0.25, abs=2)
    slider.press("End")
    assert slider.get_attribute("aria-valuetext") == "100 % photo, 0 % result"
    assert "100%" in page.locator("#result").evaluate("canvas => getComputedStyle(canvas).clipPath")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_photo_with_exif_orientation_and_its_mask_are_aligned(
    visit: Open, http: httpx.Client, encode: Encode, kind: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    page = visit()
    choose(page, upload(encode(Image.open(SAMPLE), kind, exif=exif)))
    mask = saved(wait(page), "Mask")[1].convert("1")
    seen = base64.b64decode(page.locator("#photo").evaluate(SEEN).partition(",")[2])
    theirs = Image.open(io.BytesIO(http.post("/", content=seen).content))
    assert mask.size == theirs.size
    assert (np.asarray(mask) == np.asarray(theirs)).mean() > 0.97


def test_a_photo_over_the_platforms_limit_is_scaled_down_with_a_notice(visit: Open, tmp_path: Path) -> None:
    photo = tmp_path / "huge.bmp"
    Image.open(SAMPLE).resize((4200, 2800)).save(photo)
    assert photo.stat().st_size > 32 * 2**20
    page, sent = visit(), []
    page.on("request", lambda request: sent.append(int(request.all_headers().get("content-length", 0))))
    choose(page, photo)
    playwright.expect(page.locator("#note")).to_contain_text("The browser scaled it down", timeout=60_000)
    assert saved(wait(page), "Mask")[1].size == (4200, 2800)
    assert max(sent) < 2**21


def test_a_photo_that_the_browser_cannot_decode_shows_the_image_of_the_function(visit: Open, encode: Encode) -> None:
    page = visit()
    choose(page, upload(encode(Image.open(SAMPLE), "TIFF"), "scan.tiff"))
    wait(page)
    assert not page.get_by_label("Threshold").is_visible()
    assert not page.get_by_label("Divider between photo and result").is_visible()
    assert saved(page, "Overlay")[1].size == (451, 300)


def test_a_model_with_many_classes_shows_the_images_of_the_function(visit: Open, http: httpx.Client) -> None:
    about = http.get("/").json()
    about["classes"].append({"id": 2, "name": "tail", "colour": [0, 128, 255]})
    page = visit("/nowhere")
    page.route(re.compile(r"/$"), lambda route: route.fulfill(json=about) if is_json(route) else route.continue_())
    page.goto(page.url.replace("nowhere", ""))
    choose(page, SAMPLE)
    wait(page)
    assert not page.get_by_label("Threshold").is_visible()
    assert page.get_by_role("list", name="Classes").inner_text().split() == ["pet", "tail"]
    for view in ("Cutout", "Mask", "Overlay"):
        theirs = http.post(f"/?output={view.lower()}", content=SAMPLE.read_bytes()).content
        page.get_by_text(view, exact=True).click()
        playwright.expect(page.get_by_role("img", name=f"The result: {view.lower()}")).to_be_visible()
        assert saved(page, view)[1].tobytes() == Image.open(io.BytesIO(theirs)).tobytes()


def is_json(route: Any) -> bool:
    return "application/json" in route.request.headers["accept"]


def test_a_file_that_is_not_a_photo_shows_the_functions_message_and_the_next_photo_works(visit: Open) -> None:
    page = visit()
    choose(page, upload(b"just some text", "notes.txt"))
    alert = page.get_by_role("alert")
    playwright.expect(alert).to_contain_text("That is not a photo")
    playwright.expect(alert).to_contain_text("The data is text, not an image")
    assert not page.get_by_role("button", name="Try again").is_visible()
    choose(page, upload(SAMPLE.read_bytes()[:6000], "half.jpg"))
    playwright.expect(alert).to_contain_text("The photo is damaged")
    choose(page, SAMPLE, "Another photo" if page.locator("#work").is_visible() else "Choose photos")
    playwright.expect(wait(page).locator("#error")).to_be_hidden()


def test_a_transient_error_offers_a_retry(visit: Open) -> None:
    page = visit()
    faults: list[Callable[[Any], None]] = [
        lambda route: route.abort(),
        lambda route: route.fulfill(status=503, json={"detail": "every interpreter is taken"}),
        lambda route: route.fulfill(status=502, body="<html>Bad Gateway</html>", content_type="text/html"),
    ]
    page.route(re.compile("output="), lambda route: faults.pop(0)(route) if faults else route.continue_())
    choose(page, SAMPLE)
    for words in ("cannot be reached", "Every interpreter is taken.", "It answered with status 502 and no details."):
        playwright.expect(page.get_by_role("alert")).to_contain_text(words)
        page.get_by_role("button", name="Try again").click()
    playwright.expect(wait(page).locator("#error")).to_be_hidden()


@pytest.mark.parametrize("status", [401, 403])
def test_a_private_endpoint_explains_how_to_get_access(visit: Open, status: int) -> None:
    page = visit()
    page.route(
        re.compile("output="), lambda route: route.fulfill(status=status, body="<html>", content_type="text/html")
    )
    choose(page, SAMPLE)
    alert = page.get_by_role("alert")
    playwright.expect(alert).to_contain_text("gcloud run services proxy SERVICE --region REGION")
    playwright.expect(alert).to_contain_text("gcloud functions add-invoker-policy-binding SERVICE --region REGION")
    assert audit(page) == []


def test_the_page_works_below_a_path_as_at_the_cloudfunctions_address(visit: Open, server: str) -> None:
    page = visit("/nowhere")
    inside = re.compile(f"^{server}/silhouette")
    page.route(inside, lambda route: route.fulfill(response=route.fetch(url=beneath(route.request.url, server))))
    page.goto(f"{server}/silhouette")
    page.get_by_role("button", name="Try the sample").click()
    wait(page)
    assert page.get_by_role("link", name="API").get_attribute("href") == f"{server}/silhouette/openapi.json"


def beneath(url: str, server: str) -> str:
    return server + "/" + url.removeprefix(f"{server}/silhouette").lstrip("/")
