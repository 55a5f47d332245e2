from __future__ import annotations

import io

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.support.function_process import serving
from tests.support.images import encode_image
from tests.support.responses import image_of


def test_the_probability_is_greyscale_and_agrees_with_the_mask(http: httpx.Client, sample: bytes) -> None:
    grey = image_of(http.post("/?output=probability", content=sample))
    mask = image_of(http.post("/", content=sample))
    assert grey.mode == "L"
    assert ((np.asarray(grey) >= 128) == np.asarray(mask)).all()


def test_the_mask_of_a_higher_threshold_lies_inside_that_of_a_lower(http: httpx.Client, sample: bytes) -> None:
    low, high = (np.asarray(image_of(http.post(f"/?threshold={t}", content=sample))) for t in (0.1, 0.9))
    assert high.sum() < low.sum()
    assert (high <= low).all()


def test_an_overlay_keeps_the_pixels_of_the_photo_outside_the_mask(http: httpx.Client, sample: bytes) -> None:
    data = encode_image(Image.open(io.BytesIO(sample)), "PNG")
    overlay = np.asarray(image_of(http.post("/?output=overlay", content=data)))
    mask = np.asarray(image_of(http.post("/", content=data)))
    photo = np.asarray(Image.open(io.BytesIO(sample)))
    assert (overlay[~mask] == photo[~mask]).all()


def test_a_cutout_is_transparent_outside_the_mask(http: httpx.Client, sample: bytes) -> None:
    cutout = image_of(http.post("/?output=cutout", content=sample))
    probability = np.asarray(image_of(http.post("/?output=probability", content=sample)))
    assert cutout.mode == "RGBA"
    alpha = np.asarray(cutout)[..., 3]
    assert (alpha[probability < 80] == 0).all()
    assert (alpha[probability > 180] == 255).all()


def test_json_states_the_share_of_each_class(http: httpx.Client, sample: bytes) -> None:
    summary = http.post("/?output=json", content=sample).json()
    mask = np.asarray(image_of(http.post("/", content=sample)))
    background, pet = summary["classes"]
    assert summary["size"] == [451, 300]
    assert pet["name"] == "pet"
    assert pet["share"] == pytest.approx(mask.mean(), abs=1e-6)
    assert background["share"] + pet["share"] == pytest.approx(1)
    runs = pet["rle"]["counts"]
    rebuilt = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(300, 451, order="F")
    assert (rebuilt == mask).all()


def test_a_single_class_can_be_selected(http: httpx.Client, sample: bytes) -> None:
    pet = np.asarray(image_of(http.post("/?class=pet", content=sample)))
    background = np.asarray(image_of(http.post("/?class=background", content=sample)))
    assert (pet == ~background).all()
    only = http.post("/?class=pet&output=json", content=sample).json()["classes"]
    assert [entry["name"] for entry in only] == ["pet"]


def test_the_mask_can_have_the_size_of_the_models_output(http: httpx.Client, sample: bytes) -> None:
    assert image_of(http.post("/?size=model", content=sample)).size == (256, 256)
    assert image_of(http.post("/?size=model&output=overlay", content=sample)).size == (256, 256)


def test_predict_returns_the_raw_tensor_like_the_original_article(http: httpx.Client, sample: bytes) -> None:
    result = np.asarray(http.post("/predict", files={"file": sample}).json()["result"])
    assert result.shape == (1, 256, 256, 1)
    mask = np.asarray(image_of(http.post("/?size=model", content=sample)))
    assert ((result[0, ..., 0] * 255).round() >= 128).astype(bool).tolist() == mask.tolist()


def test_get_returns_a_description_of_the_model(http: httpx.Client) -> None:
    about = http.get("/").json()
    assert about["name"] == "pets"
    assert len(about["sha256"]) == 64
    assert about["card"] == "embedded"
    assert (about["input"]["width"], about["input"]["height"]) == (256, 256)
    assert [entry["name"] for entry in about["classes"]] == ["background", "pet"]
    assert about["runtime"] in ("tflite_runtime", "ai_edge_litert")
    assert http.head("/").status_code == 200


def test_health_is_ok_once_the_model_is_loaded_and_states_whether_a_mask_was_made(sample: bytes) -> None:
    with serving() as url, httpx.Client(base_url=url, timeout=60) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/health").json() == {"status": "ok", "mask_made": False}
        assert client.post("/", content=b"no photo").status_code == 415
        assert client.get("/health").json() == {"status": "ok", "mask_made": False}
        assert client.post("/", content=sample).headers["x-cold-start"] == "1"
        assert client.get("/health").json() == {"status": "ok", "mask_made": True}
        assert "x-cold-start" not in client.post("/", content=sample).headers
