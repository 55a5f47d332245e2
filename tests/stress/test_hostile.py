from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.stress.hostile.bombs import blank_png
from tests.stress.hostile.case import Case
from tests.stress.hostile.corpus import corpus, flips, truncations
from tests.stress.hostile.photos import FORMATS, sample_photo
from tests.stress.hostile.runner import Results, find_violation, send_all
from tests.support.function_process import Function, launched
from tests.support.raw_http import chunked_body, connect, read_response, read_status, request_head, send_in_pieces

# The instance that deploy.sh creates has 1 GiB and one CPU, and so one interpreter. The largest allowed photos take
# most of the memory: 100 million pixels of RGBA take 400 MB, 50 million of WebP four times 200 MB.
MEMORY_LIMIT_MB = 1024


@pytest.fixture(scope="module")
def function() -> Iterator[Function]:
    with launched({"INTERPRETERS": "1", "MAX_UPLOAD_BYTES": str(32 * 2**20)}) as function:
        yield function


def assert_serves(function: Function, sample: bytes, sample_mask: bytes) -> None:
    assert httpx.post(function.url, content=sample, timeout=60).content == sample_mask


def test_six_hundred_hostile_bodies_get_a_mask_or_a_problem_within_the_memory_limit(
    function: Function, sample: bytes, sample_mask: bytes
) -> None:
    workers = function.workers()
    results = send_all(function.url, corpus(600, seed=8), function.pss_mb)
    assert results.wrong == []
    assert results.cases == 600
    assert {200, 400, 413, 415, 422} <= results.statuses.keys()
    assert results.worst_mb < MEMORY_LIMIT_MB
    assert_serves(function, sample, sample_mask)
    assert function.workers() == workers


def test_the_memory_of_the_largest_photos_is_released(function: Function) -> None:
    large = blank_png(10_000, 10_000, 6, 4)
    with ThreadPoolExecutor(3) as pool:
        responses = list(pool.map(lambda photo: httpx.post(function.url, content=photo, timeout=60), [large] * 4))
    assert {response.status_code for response in responses} <= {200, 503}
    assert function.pss_mb() < 350  # with one malloc arena for each thread it stays above 900


def test_the_corpus_depends_only_on_the_seed_and_truncates_each_format_at_each_percent() -> None:
    first, again, other = (list(itertools.islice(flips(random.Random(seed)), 40)) for seed in (1, 1, 2))
    assert first == again != other
    assert len({case.body for case in truncations()}) >= 99 * len(FORMATS) * 0.99


@pytest.mark.parametrize(
    ("response", "violation"),
    [
        (httpx.Response(500, json={"status": 500}), "the status is 500"),
        (httpx.Response(404, text="nothing"), "not a problem"),
        (
            httpx.Response(200, content=sample_photo("PNG"), headers={"content-type": "image/jpeg"}),
            "the content type of the mask is image/jpeg",
        ),
        (
            httpx.Response(200, content=sample_photo("PNG", 9, 9), headers={"content-type": "image/png"}),
            "the size of the mask is",
        ),
        (None, "no response"),
    ],
)
def test_wrong_responses_are_reported(response: httpx.Response | None, violation: str) -> None:
    results = Results()
    results.add(Case("photo", sample_photo("PNG"), size_wh=(60, 44)), response, 0.1)
    assert violation in results.wrong[0]
    if response:
        assert find_violation(Case("text", b"hello"), response)


def test_a_chunked_photo_gets_its_mask(function: Function, sample: bytes, sample_mask: bytes) -> None:
    with connect(function.port) as connection:
        connection.sendall(request_head("Transfer-Encoding: chunked") + chunked_body(sample, 777))
        assert read_response(connection) == (200, sample_mask)


def test_a_slow_upload_gets_its_mask_while_others_are_served(
    function: Function, sample: bytes, sample_mask: bytes
) -> None:
    with connect(function.port) as connection:
        connection.sendall(request_head(f"Content-Length: {len(sample)}"))
        send_in_pieces(connection, sample[:-1], 10, 0.1)
        assert_serves(function, sample, sample_mask)
        connection.sendall(sample[-1:])
        assert read_response(connection) == (200, sample_mask)


@pytest.mark.parametrize(
    "sent",
    [
        b"POST",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(200),
        request_head("Content-Length: 100000"),
        request_head("Content-Length: 100000") + bytes(50_000),
        request_head("Transfer-Encoding: chunked") + b"ffff\r\nhello",
        request_head("Transfer-Encoding: chunked") + b"5\r\nhello\r\n",
    ],
    ids=[
        "in the request line",
        "in a TLS handshake",
        "before the body",
        "in the body",
        "in a chunk",
        "before the last chunk",
    ],
)
def test_closed_connections_do_not_disturb_other_requests(
    function: Function, sample: bytes, sample_mask: bytes, sent: bytes
) -> None:
    for _ in range(40):  # more than there are threads
        with connect(function.port) as connection:
            connection.sendall(sent)
    assert_serves(function, sample, sample_mask)


@pytest.mark.parametrize(
    "sent",
    [
        request_head("Content-Length: -5") + b"hello",
        request_head("Content-Length: five") + b"hello",
        request_head("Content-Length: 5", "Content-Length: 6") + b"hello",
        request_head("Content-Length: 5", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n",
        request_head("Transfer-Encoding: chunked") + b"xyz\r\nhello\r\n0\r\n\r\n",
        request_head("Transfer-Encoding: chunked") + b"-5\r\nhello\r\n0\r\n\r\n",
        request_head("Transfer-Encoding: chunked") + b"5\r\nhello, and no end",
        request_head("Transfer-Encoding: nonsense") + b"hello",
        request_head("Content-Length: 5"[::-1]) + b"hello",
        request_head("Content-Length: 0") + b"hello",
        request_head("Content-Length: 3") + b"hello",
        request_head("A: " + "b" * 100_000, "Content-Length: 5") + b"hello",
        b"\r\n\r\n\r\n" * 1000,
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
)
def test_a_malformed_request_gets_an_error_or_no_response(
    function: Function, sample: bytes, sample_mask: bytes, sent: bytes
) -> None:
    with connect(function.port) as connection:
        connection.sendall(sent)
        assert read_status(connection) in (0, *range(400, 500), 501)  # 501: an unknown transfer coding
    assert_serves(function, sample, sample_mask)


def test_a_body_shorter_than_its_content_length_is_an_error(
    function: Function, sample: bytes, sample_mask: bytes
) -> None:
    with connect(function.port) as connection:
        connection.sendall(request_head(f"Content-Length: {len(sample) + 1000}") + sample)
        connection.shutdown(1)  # close the sending side
        assert read_status(connection) == 400
    assert_serves(function, sample, sample_mask)
