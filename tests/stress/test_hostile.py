from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from model.options import Options
from model.segmenter import Segmenter
from model.serving.settings import Settings
from tests.stress.hostile.bombs import plain_png
from tests.stress.hostile.case import Case
from tests.stress.hostile.corpus import cases, flips, truncations
from tests.stress.hostile.photos import FORMATS, good
from tests.stress.hostile.trial import Findings, judge, send
from tests.support.function_process import Function, launched
from tests.support.raw_http import chunked_body, connect, read_response, read_status, request_head, send_in_pieces

# The instance that deploy.sh asks for has 1 GiB and one CPU, and so one interpreter. The largest photos that are
# allowed take most of it: 100 million pixels of RGBA 400 MB, 50 million of WebP four times 200 MB.
BOUND_MB = 1024


@pytest.fixture(scope="module")
def function() -> Iterator[Function]:
    with launched({"INTERPRETERS": "1", "MAX_UPLOAD_BYTES": str(32 * 2**20)}) as function:
        yield function


@pytest.fixture(scope="module")
def right(sample: bytes) -> bytes:
    """The mask of the sample photo, made in this process."""
    segmenter = Segmenter(Settings())
    return segmenter.segment(sample, Options.parse({}, segmenter.card)).body


def assert_serves(function: Function, sample: bytes, right: bytes) -> None:
    assert httpx.post(function.url, content=sample, timeout=60).content == right


def test_six_hundred_hostile_bodies_get_a_mask_or_a_problem_within_the_memory_and_the_next_photo_its_mask(
    function: Function, sample: bytes, right
) -> None:
    before = function.workers()
    findings = send(function.url, cases(600, seed=8), function.pss_mb)
    assert findings.wrong == []
    assert findings.cases == 600
    assert {200, 400, 413, 415, 422} <= findings.statuses.keys()
    assert findings.worst_mb < BOUND_MB
    assert_serves(function, sample, right)
    assert function.workers() == before


def test_what_the_largest_photos_took_is_given_back(function: Function) -> None:
    large = plain_png(10_000, 10_000, 6, 4)
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda photo: httpx.post(function.url, content=photo, timeout=60), [large] * 4))
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert function.pss_mb() < 350  # where each thread keeps a heap of its own, 900 and more


def test_the_corpus_is_the_same_for_the_same_seed_and_has_each_format_cut_at_each_percent() -> None:
    first, again, other = (list(itertools.islice(flips(random.Random(seed)), 40)) for seed in (1, 1, 2))
    assert first == again != other
    assert len({case.body for case in truncations()}) >= 99 * len(FORMATS) * 0.99


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (httpx.Response(500, json={"status": 500}), "it got 500"),
        (httpx.Response(404, text="nothing"), "no problem"),
        (httpx.Response(200, content=good("PNG"), headers={"content-type": "image/jpeg"}), "sent as image/jpeg"),
        (httpx.Response(200, content=good("PNG", 9, 9), headers={"content-type": "image/png"}), "its mask has"),
        (None, "no answer"),
    ],
)
def test_an_answer_that_must_not_be_is_found(answer, fault) -> None:
    findings = Findings()
    findings.add(Case("photo", good("PNG"), size_wh=(60, 44)), answer, 0.1)
    assert fault in findings.wrong[0]
    if answer:
        assert judge(Case("text", b"hello"), answer)


def test_a_photo_in_chunks_without_a_length_gets_its_mask(function: Function, sample: bytes, right) -> None:
    with connect(function.port) as connection:
        connection.sendall(request_head("Transfer-Encoding: chunked") + chunked_body(sample, 777))
        assert read_response(connection) == (200, right)


def test_a_photo_that_comes_slowly_gets_its_mask_and_others_meanwhile_theirs(
    function: Function, sample: bytes, right
) -> None:
    with connect(function.port) as connection:
        connection.sendall(request_head(f"Content-Length: {len(sample)}"))
        send_in_pieces(connection, sample[:-1], 10, 0.1)
        assert_serves(function, sample, right)
        connection.sendall(sample[-1:])
        assert read_response(connection) == (200, right)


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
        "in the first line",
        "in a greeting of TLS",
        "before the body",
        "in the body",
        "in a chunk",
        "before the last chunk",
    ],
)
def test_who_hangs_up_early_disturbs_nobody(function: Function, sample: bytes, right, sent) -> None:
    for _ in range(40):  # more than there are threads
        with connect(function.port) as connection:
            connection.sendall(sent)
    assert_serves(function, sample, right)


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
def test_a_request_whose_lengths_or_lines_make_no_sense_is_refused_or_dropped(
    function: Function, sample: bytes, right, sent
) -> None:
    with connect(function.port) as connection:
        connection.sendall(sent)
        assert read_status(connection) in (0, *range(400, 500), 501)  # 501: of a transfer coding that nobody knows
    assert_serves(function, sample, right)


def test_a_length_that_promises_more_than_comes_is_no_mask(function: Function, sample: bytes, right) -> None:
    with connect(function.port) as connection:
        connection.sendall(request_head(f"Content-Length: {len(sample) + 1000}") + sample)
        connection.shutdown(1)  # nothing more will come
        assert read_status(connection) == 400
    assert_serves(function, sample, right)
