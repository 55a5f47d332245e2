from __future__ import annotations

import io
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import flask
import httpx
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from tests.support.function_process import serving
from tests.support.images import Encode
from tests.support.paths import ROOT

FORMATS = {
    "JPEG": ("RGB", "JPEG", {}),
    "grey JPEG": ("L", "JPEG", {}),
    "CMYK JPEG": ("CMYK", "JPEG", {}),
    "progressive JPEG": ("RGB", "JPEG", {"progressive": True}),
    "PNG": ("RGB", "PNG", {}),
    "palette PNG": ("P", "PNG", {}),
    "grey PNG": ("L", "PNG", {}),
    "alpha PNG": ("RGBA", "PNG", {}),
    "16-bit PNG": ("I;16", "PNG", {}),
    "WebP": ("RGB", "WEBP", {}),
    "AVIF": ("RGB", "AVIF", {}),
    "GIF": ("P", "GIF", {}),
    "BMP": ("RGB", "BMP", {}),
    "TIFF": ("RGB", "TIFF", {}),
}


def picture(response: httpx.Response) -> Image.Image:
    assert response.status_code == 200, response.text
    return Image.open(io.BytesIO(response.content))


def iou(a: Image.Image, b: Image.Image) -> float:
    first, second = np.asarray(a.convert("1")), np.asarray(b.convert("1"))
    return float((first & second).sum() / max(1, (first | second).sum()))


def problem(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body.keys() == {"type", "title", "status", "detail", "code"}
    assert body["status"] == response.status_code
    for inside in ("Traceback", "site-packages", str(ROOT), ".py", "Error("):
        assert inside not in body["detail"]
    return body["status"], body["code"]


def variants(sample: bytes, count: int) -> list[bytes]:
    """Make photos that differ in size and light, so that their masks differ too."""
    photos = []
    for i in range(count):
        image = Image.open(io.BytesIO(sample)).convert("RGB").rotate(4 * i, expand=i % 2 == 0)
        image = ImageEnhance.Brightness(image).enhance(0.6 + 0.1 * i).resize((200 + 40 * i, 180 + 25 * i))
        with io.BytesIO() as file:
            image.save(file, "JPEG")
            photos.append(file.getvalue())
    return photos


def test_a_photo_as_the_body_gives_a_one_bit_mask_of_its_own_size(http: httpx.Client, sample: bytes) -> None:
    response = http.post("/", content=sample, headers={"Content-Type": "image/jpeg"})
    mask = picture(response)
    assert (mask.format, mask.size, mask.mode) == ("PNG", (451, 300), "1")
    assert response.headers["content-type"] == "image/png"
    assert response.headers["vary"] == "Accept"
    assert response.headers["x-model"].startswith("pets/")
    stages = [part.partition(";dur=") for part in response.headers["server-timing"].split(", ")]
    assert [stage for stage, _, _ in stages] == ["wait", "decode", "infer", "mask", "encode"]
    assert all(float(ms) >= 0 for _, _, ms in stages)


@pytest.mark.parametrize("field", ["file", "image"])
def test_a_photo_in_a_form_gives_the_same_mask(http: httpx.Client, sample: bytes, field: str) -> None:
    alone = http.post("/", content=sample).content
    form = http.post("/", files={"other": b"x", field: ("cat.jpg", sample, "image/jpeg")}, data={"note": "hello"})
    assert form.content == alone


def test_a_body_without_a_length_is_read_to_its_end(http: httpx.Client, sample: bytes) -> None:
    pieces = (sample[i : i + 1000] for i in range(0, len(sample), 1000))
    assert http.post("/", content=pieces).content == http.post("/", content=sample).content


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_a_mask_close_to_the_jpegs(http: httpx.Client, sample: bytes, encode: Encode, name) -> None:
    mode, kind, options = FORMATS[name]
    image = Image.open(io.BytesIO(sample))
    if mode == "I;16":
        grey = np.asarray(image.convert("L"), np.uint16)
        data = encode(Image.fromarray(grey * 257), kind)
    else:
        data = encode(image.convert(mode), kind, **options)
    mask = picture(http.post("/", content=data))
    assert mask.size == (451, 300)
    like = encode(image.convert("L"), "JPEG") if mode in ("L", "I;16") else sample
    assert iou(mask, picture(http.post("/", content=like))) > 0.93


def test_a_photo_gives_the_same_mask_under_each_exif_orientation(
    http: httpx.Client, sample: bytes, encode: Encode
) -> None:
    image = Image.open(io.BytesIO(sample))
    upright = picture(http.post("/", content=encode(image, "PNG")))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        undo = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
        turned = Image.Exif()
        turned[0x0112] = undo
        stored = Image.open(io.BytesIO(encode(image, "PNG", exif=turned)))
        data = encode(ImageOps.exif_transpose(stored), "PNG", exif=exif)
        mask = picture(http.post("/", content=data))
        assert mask.size == (451, 300)
        assert iou(mask, upright) > 0.98, orientation


def test_two_hundred_requests_eight_at_a_time_each_get_their_own_mask(
    http: httpx.Client, server: str, sample: bytes
) -> None:
    photos = variants(sample, 10)
    alone = [http.post("/", content=photo).content for photo in photos]
    assert len(set(alone)) == 10
    with httpx.Client(base_url=server, timeout=120) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: client.post("/", content=photos[i % 10]), range(200)))
    assert [answer.status_code for answer in answers] == [200] * 200
    assert all(answer.content == alone[i % 10] for i, answer in enumerate(answers))


def test_the_probability_is_grey_and_agrees_with_the_mask(http: httpx.Client, sample: bytes) -> None:
    grey = picture(http.post("/?output=probability", content=sample))
    mask = picture(http.post("/", content=sample))
    assert grey.mode == "L"
    assert ((np.asarray(grey) >= 128) == np.asarray(mask)).all()


def test_a_higher_threshold_gives_a_smaller_mask_inside_the_larger(http: httpx.Client, sample: bytes) -> None:
    low, high = (np.asarray(picture(http.post(f"/?threshold={t}", content=sample))) for t in (0.1, 0.9))
    assert high.sum() < low.sum()
    assert (high <= low).all()


def test_an_overlay_has_the_photos_pixels_where_the_mask_is_black(
    http: httpx.Client, sample: bytes, encode: Encode
) -> None:
    data = encode(Image.open(io.BytesIO(sample)), "PNG")
    overlay = np.asarray(picture(http.post("/?output=overlay", content=data)))
    mask = np.asarray(picture(http.post("/", content=data)))
    photo = np.asarray(Image.open(io.BytesIO(sample)))
    assert (overlay[~mask] == photo[~mask]).all()


def test_a_cutout_is_clear_where_the_mask_is_black(http: httpx.Client, sample: bytes) -> None:
    cutout = picture(http.post("/?output=cutout", content=sample))
    probability = np.asarray(picture(http.post("/?output=probability", content=sample)))
    assert cutout.mode == "RGBA"
    alpha = np.asarray(cutout)[..., 3]
    assert (alpha[probability < 80] == 0).all()
    assert (alpha[probability > 180] == 255).all()


def test_json_says_how_much_of_the_photo_each_class_is(http: httpx.Client, sample: bytes) -> None:
    summary = http.post("/?output=json", content=sample).json()
    mask = np.asarray(picture(http.post("/", content=sample)))
    background, pet = summary["classes"]
    assert summary["size"] == [451, 300]
    assert pet["name"] == "pet"
    assert pet["share"] == pytest.approx(mask.mean(), abs=1e-6)
    assert background["share"] + pet["share"] == pytest.approx(1)
    runs = pet["rle"]["counts"]
    rebuilt = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(300, 451, order="F")
    assert (rebuilt == mask).all()


def test_one_class_can_be_asked_for(http: httpx.Client, sample: bytes) -> None:
    pet = np.asarray(picture(http.post("/?class=pet", content=sample)))
    background = np.asarray(picture(http.post("/?class=background", content=sample)))
    assert (pet == ~background).all()
    only = http.post("/?class=pet&output=json", content=sample).json()["classes"]
    assert [entry["name"] for entry in only] == ["pet"]


def test_the_mask_can_have_the_models_own_size(http: httpx.Client, sample: bytes) -> None:
    assert picture(http.post("/?size=model", content=sample)).size == (256, 256)
    assert picture(http.post("/?size=model&output=overlay", content=sample)).size == (256, 256)


def test_predict_gives_the_raw_tensor_as_the_older_recipe_did(http: httpx.Client, sample: bytes) -> None:
    result = np.asarray(http.post("/predict", files={"file": sample}).json()["result"])
    assert result.shape == (1, 256, 256, 1)
    mask = np.asarray(picture(http.post("/?size=model", content=sample)))
    assert ((result[0, ..., 0] * 255).round() >= 128).astype(bool).tolist() == mask.tolist()


def test_the_model_describes_itself(http: httpx.Client) -> None:
    about = http.get("/").json()
    assert about["name"] == "pets"
    assert len(about["sha256"]) == 64
    assert about["card"] == "embedded"
    assert (about["input"]["width"], about["input"]["height"]) == (256, 256)
    assert [entry["name"] for entry in about["classes"]] == ["background", "pet"]
    assert about["runtime"] in ("tflite_runtime", "ai_edge_litert")
    assert http.head("/").status_code == 200


def test_health_turns_good_with_the_first_mask(sample: bytes) -> None:
    with serving() as url, httpx.Client(base_url=url, timeout=60) as client:
        assert client.get("/health").status_code == 503
        assert client.post("/", content=b"no photo").status_code == 415
        assert client.get("/health").status_code == 503
        assert client.post("/", content=sample).headers["x-cold-start"] == "1"
        assert client.get("/health").status_code == 200
        assert "x-cold-start" not in client.post("/", content=sample).headers


def test_bad_input_gets_the_status_and_code_of_the_table_and_the_next_photo_a_mask(
    http: httpx.Client, sample: bytes, encode: Encode
) -> None:
    huge = bytearray(encode(Image.new("1", (8, 8)), "BMP"))
    huge[18:26] = (60_000).to_bytes(4, "little") * 2
    cases = [
        (http.post("/", content=b""), 400, "empty-body"),
        (http.post("/", files={"picture": sample}), 400, "empty-body"),
        (http.post("/", files={"file": b""}), 400, "empty-body"),
        (http.post("/", content=b"--x", headers={"Content-Type": "multipart/form-data"}), 400, "empty-body"),
        (http.post("/", content=b"just some text"), 415, "not-a-photo"),
        (http.post("/", content=sample[: len(sample) // 2]), 422, "broken-photo"),
        (http.post("/", content=bytes(huge) + bytes(100_000)), 413, "photo-too-large"),
        (http.post("/", content=bytes(40_000_000)), 413, "photo-too-large"),
        (http.post("/", files={"file": bytes(40_000_000)}), 413, "photo-too-large"),
        (http.post("/?colour=red", content=sample), 400, "bad-option"),
        (http.post("/?output=video", content=sample), 400, "bad-option"),
        (http.post("/?threshold=high", content=sample), 400, "bad-option"),
        (http.post("/?threshold=nan", content=sample), 400, "bad-option"),
        (http.post("/?class=horse", content=sample), 400, "bad-option"),
        (http.post("/predict", content=b"just some text"), 415, "not-a-photo"),
        (http.get("/predict"), 405, "method-not-allowed"),
        (http.put("/", content=sample), 405, "method-not-allowed"),
        (http.get("/nowhere"), 404, "not-found"),
        (http.get("/favicon.ico"), 404, "not-found"),
    ]
    for response, status, code in cases:
        assert problem(response) == (status, code)
    assert http.put("/", content=sample).headers["allow"] == "GET, POST"
    assert picture(http.post("/", content=sample)).size == (451, 300)


def test_the_limits_are_those_of_the_environment(sample: bytes) -> None:
    limits = {"MAX_UPLOAD_BYTES": str(len(sample)), "MAX_PIXELS": str(451 * 300)}
    with serving(**limits) as url, httpx.Client(base_url=url, timeout=60) as client:
        assert client.post("/", content=sample).status_code == 200
        assert problem(client.post("/", content=sample + b"x")) == (413, "photo-too-large")
        assert problem(client.post("/", content=iter([sample, b"x"]))) == (413, "photo-too-large")
        assert client.get("/").json()["limits"] == {"upload_bytes": len(sample), "pixels": 451 * 300}


def test_who_finds_no_interpreter_in_time_is_told_when_to_come_back(sample: bytes) -> None:
    with serving(INTERPRETERS="1", WAIT_LIMIT_S="0.001") as url, httpx.Client(base_url=url, timeout=60) as client:
        large = variants(sample, 1)[0]
        with io.BytesIO() as file:
            Image.open(io.BytesIO(large)).resize((4000, 3000)).save(file, "PNG")
            large = file.getvalue()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: client.post("/", content=large), range(8)))
        refused = [answer for answer in answers if answer.status_code != 200]
        assert len(refused) < 8
        assert refused
        assert all(problem(answer) == (503, "busy") for answer in refused)
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)


def test_json_lines_are_what_the_function_logs_of_a_fault(capfd: pytest.CaptureFixture[str]) -> None:
    import main

    capfd.readouterr()  # what the runtime says when it is loaded
    trace = "0af7651916cd43dd8448eb211c80319c"
    with flask.Flask("x").test_request_context("/?secret=1", headers={"X-Cloud-Trace-Context": f"{trace}/5;o=1"}):
        main.log_error(ValueError("boom"))
    text = capfd.readouterr().err
    line = json.loads(text)
    assert line["severity"] == "ERROR"
    assert "ValueError: boom" in line["message"]
    assert line["@type"].endswith("ReportedErrorEvent")
    assert line["context"]["httpRequest"] == {"method": "GET", "url": "/", "responseStatusCode": 500}
    assert line["logging.googleapis.com/trace"] == trace
    assert "secret" not in text


def test_every_answer_carries_the_guards(http: httpx.Client, sample: bytes) -> None:
    answers = (
        http.post("/", content=sample),
        http.post("/", content=b"x"),
        http.get("/nowhere"),
        http.get("/favicon.ico"),
    )
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_each_request_leaves_one_line_that_joins_its_trace_and_holds_nothing_of_the_photo(
    capfd: pytest.CaptureFixture[str], sample: bytes
) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    cloud = "105445aa7843bc8bf206b12000100000/1;o=1"
    with serving(GOOGLE_CLOUD_PROJECT="project", K_SERVICE="pets") as url, httpx.Client(base_url=url) as client:
        client.post("/?threshold=0.625", content=sample, headers={"traceparent": parent})
        client.post("/", content=sample[:5000], headers={"X-Cloud-Trace-Context": cloud, "User-Agent": "secret-agent"})
        client.post("/", content=b"secret words", headers={"traceparent": "nonsense"})
    text = capfd.readouterr().err
    for word in ("secret", "0.625", "127.0.0.1:"):
        assert word not in text
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    good, broken, nonsense = [line for line in lines if line["httpRequest"]["requestMethod"] == "POST"]
    assert (good["severity"], broken["severity"]) == ("INFO", "WARNING")
    assert good["httpRequest"]["status"] == 200
    assert good["httpRequest"]["requestSize"] == str(len(sample))
    assert good["photo"] == {"width": 451, "height": 300}
    assert list(good["stages_ms"]) == ["wait", "decode", "infer", "mask", "encode"]
    assert good["model"].startswith("pets/")
    assert good["logging.googleapis.com/trace"] == "projects/project/traces/4bf92f3577b34da6a3ce929d0e0e4736"
    assert good["logging.googleapis.com/spanId"] == "00f067aa0ba902b7"
    assert (broken["code"], broken["httpRequest"]["status"]) == ("broken-photo", 422)
    assert broken["logging.googleapis.com/trace"] == "projects/project/traces/105445aa7843bc8bf206b12000100000"
    assert broken["logging.googleapis.com/spanId"] == "0000000000000001"
    assert "logging.googleapis.com/trace" not in nonsense


def test_an_upload_that_trickles_is_cut_off_and_others_are_served_meanwhile(sample: bytes) -> None:
    with serving(REQUEST_TIMEOUT_S="1", THREADS="2") as url:
        host, port = url.removeprefix("http://").split(":")
        head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sample)}\r\n\r\n".encode()
        with socket.create_connection((host, int(port)), timeout=20) as slow:
            slow.sendall(head + sample[:100])
            began = time.monotonic()
            assert httpx.post(url, content=sample).status_code == 200
            slow.settimeout(0.2)
            answer, sent = b"", 100
            while not answer and time.monotonic() - began < 15:
                try:
                    answer = slow.recv(65536)
                except TimeoutError:
                    slow.sendall(sample[sent : sent + 1])
                    sent += 1
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b"upload-too-slow" in answer + slow.recv(65536)
        assert httpx.post(url, content=sample).status_code == 200


def test_an_upload_is_never_written_to_disk(sample: bytes, encode: Encode) -> None:
    large = encode(Image.effect_noise((3000, 3000), 80).convert("RGB"), "PNG")
    assert len(large) > 20_000_000
    no_file_past_8_kib = "bash", "-c", 'ulimit -f 8; exec "$@" 2>/dev/null', "-"
    with (
        serving(*no_file_past_8_kib, REQUEST_TIMEOUT_S="120") as url,
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        assert client.post("/", content=large).status_code == 200
        assert client.post("/", files={"file": ("large.png", large)}).status_code == 200
        assert client.post("/predict", files={"file": ("large.png", large)}).status_code == 200
