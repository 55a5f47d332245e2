from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from tests.support.images import encode_image
from tests.support.responses import image_of

FORMATS: dict[str, tuple[str, str, dict[str, object]]] = {  # mode, format and options of the encoder
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


def iou(a: Image.Image, b: Image.Image) -> float:
    first, second = np.asarray(a.convert("1")), np.asarray(b.convert("1"))
    return float((first & second).sum() / max(1, (first | second).sum()))


def photo_variants(photo: bytes, count: int) -> list[bytes]:
    """Return copies of a photo that differ in rotation, brightness and size, so that their masks differ too."""
    variants = []
    for i in range(count):
        image = Image.open(io.BytesIO(photo)).convert("RGB").rotate(4 * i, expand=i % 2 == 0)
        image = ImageEnhance.Brightness(image).enhance(0.6 + 0.1 * i).resize((200 + 40 * i, 180 + 25 * i))
        variants.append(encode_image(image, "JPEG"))
    return variants


def test_a_photo_in_the_body_gets_a_one_bit_mask_of_its_size(http: httpx.Client, sample: bytes) -> None:
    response = http.post("/", content=sample, headers={"Content-Type": "image/jpeg"})
    mask = image_of(response)
    assert (mask.format, mask.size, mask.mode) == ("PNG", (451, 300), "1")
    assert response.headers["content-type"] == "image/png"
    assert response.headers["vary"] == "Accept"
    assert response.headers["x-model"].startswith("pets/")
    stages = [part.partition(";dur=") for part in response.headers["server-timing"].split(", ")]
    assert [stage for stage, _, _ in stages] == ["wait", "decode", "infer", "mask", "encode"]
    assert all(float(ms) >= 0 for _, _, ms in stages)


@pytest.mark.parametrize("field", ["file", "image"])
def test_a_photo_in_a_form_gets_the_same_mask(http: httpx.Client, sample: bytes, field: str) -> None:
    raw = http.post("/", content=sample).content
    form = http.post("/", files={"other": b"x", field: ("cat.jpg", sample, "image/jpeg")}, data={"note": "hello"})
    assert form.content == raw


def test_a_chunked_body_is_read_to_its_end(http: httpx.Client, sample: bytes) -> None:
    pieces = (sample[i : i + 1000] for i in range(0, len(sample), 1000))
    assert http.post("/", content=pieces).content == http.post("/", content=sample).content


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_gets_a_mask_close_to_that_of_the_jpeg(http: httpx.Client, sample: bytes, name: str) -> None:
    mode, format, options = FORMATS[name]
    image = Image.open(io.BytesIO(sample))
    if mode == "I;16":
        grey = np.asarray(image.convert("L"), np.uint16)
        data = encode_image(Image.fromarray(grey * 257), format)
    else:
        data = encode_image(image.convert(mode), format, **options)
    mask = image_of(http.post("/", content=data))
    assert mask.size == (451, 300)
    if mode == "P":  # 256 colours, with dithering
        reference = encode_image(image.convert("P").convert("RGB"), "JPEG", quality=95)
    else:
        reference = encode_image(image.convert("L"), "JPEG") if mode in ("L", "I;16") else sample
    assert iou(mask, image_of(http.post("/", content=reference))) > 0.93


def test_a_photo_gets_the_same_mask_in_each_exif_orientation(http: httpx.Client, sample: bytes) -> None:
    image = Image.open(io.BytesIO(sample))
    upright = image_of(http.post("/", content=encode_image(image, "PNG")))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        inverse = Image.Exif()
        inverse[0x0112] = {6: 8, 8: 6}.get(orientation, orientation)
        stored = Image.open(io.BytesIO(encode_image(image, "PNG", exif=inverse)))
        data = encode_image(ImageOps.exif_transpose(stored), "PNG", exif=exif)
        mask = image_of(http.post("/", content=data))
        assert mask.size == (451, 300)
        assert iou(mask, upright) > 0.98, orientation


def test_two_hundred_requests_at_concurrency_eight_each_get_their_own_mask(
    http: httpx.Client, server: str, sample: bytes
) -> None:
    photos = photo_variants(sample, 10)
    masks = [http.post("/", content=photo).content for photo in photos]
    assert len(set(masks)) == 10
    with httpx.Client(base_url=server, timeout=120) as client, ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda i: client.post("/", content=photos[i % 10]), range(200)))
    assert [response.status_code for response in responses] == [200] * 200
    assert all(response.content == masks[i % 10] for i, response in enumerate(responses))
