"""Bodies with a Content-Encoding: gzip is decompressed within the limit, all others are refused."""

from __future__ import annotations

import gzip
import zlib

import httpx
import pytest

from tests.support.function_process import serving


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_a_gzip_body_is_decompressed(http: httpx.Client, sample: bytes, sample_mask: bytes, encoding: str) -> None:
    headers = {"Content-Encoding": encoding}
    assert http.post("/", content=gzip.compress(sample), headers=headers).content == sample_mask
    members = gzip.compress(sample[:5000]) + gzip.compress(sample[5000:])
    assert http.post("/", content=members, headers=headers).content == sample_mask


def test_no_encoding_is_an_encoding(http: httpx.Client, sample: bytes, sample_mask: bytes) -> None:
    assert http.post("/", content=sample, headers={"Content-Encoding": "identity"}).content == sample_mask


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "aws-chunked"])
def test_another_encoding_is_refused_with_the_one_that_is_accepted(
    http: httpx.Client, sample: bytes, encoding: str
) -> None:
    response = http.post("/", content=sample, headers={"Content-Encoding": encoding})
    assert (response.status_code, response.json()["code"]) == (415, "unsupported-media-type")
    assert response.headers["accept-encoding"] == "gzip"
    assert encoding in response.json()["detail"]


@pytest.mark.parametrize("damage", ["plain", "truncated", "flipped", "deflate", "many members"])
def test_damaged_gzip_is_named(http: httpx.Client, sample: bytes, damage: str) -> None:
    packed = gzip.compress(sample)
    body = {
        "plain": sample,
        "truncated": packed[:-100],
        "flipped": packed[:500] + bytes([packed[500] ^ 1]) + packed[501:],
        "deflate": zlib.compress(sample),
        "many members": gzip.compress(b"") * 1000,
    }[damage]
    response = http.post("/", content=body, headers={"Content-Encoding": "gzip"})
    assert (response.status_code, response.json()["code"]) == (400, "bad-request")
    assert "gzip" in response.json()["detail"]


def test_the_limit_of_an_upload_holds_after_decompression(sample: bytes) -> None:
    with serving(MAX_UPLOAD_BYTES="100000") as url:
        bomb = gzip.compress(bytes(50_000_000))
        assert len(bomb) < 100_000
        response = httpx.post(url, content=bomb, headers={"Content-Encoding": "gzip"})
        assert (response.status_code, response.json()["code"]) == (413, "photo-too-large")
        exact = gzip.compress(sample + bytes(100_000 - len(sample)))
        assert httpx.post(url, content=exact, headers={"Content-Encoding": "gzip"}).status_code == 200
