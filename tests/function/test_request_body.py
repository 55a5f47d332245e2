from __future__ import annotations

import socket
import threading
import time

import flask
import httpx
from PIL import Image

from model.serving import request_body
from tests.support.function_process import launched, serving
from tests.support.images import encode_image


def test_a_slow_upload_is_cut_off_while_others_are_served(sample: bytes) -> None:
    with serving(REQUEST_TIMEOUT_S="1", THREADS="2") as url:
        host, port = url.removeprefix("http://").split(":")
        head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sample)}\r\n\r\n".encode()
        with socket.create_connection((host, int(port)), timeout=20) as slow:
            slow.sendall(head + sample[:100])
            start = time.monotonic()
            assert httpx.post(url, content=sample).status_code == 200
            slow.settimeout(0.2)
            response, sent = b"", 100
            while not response and time.monotonic() - start < 15:
                try:
                    response = slow.recv(65536)
                except TimeoutError:
                    slow.sendall(sample[sent : sent + 1])
                    sent += 1
            assert response.startswith(b"HTTP/1.1 408 ")
            assert b"upload-too-slow" in response + slow.recv(65536)
        assert httpx.post(url, content=sample).status_code == 200


def test_every_upload_that_stalls_is_cut_off_and_then_the_thread_that_watched_them_ends(sample: bytes) -> None:
    with launched({"REQUEST_TIMEOUT_S": "1", "THREADS": "8"}) as function:
        host, port = function.url.removeprefix("http://").split(":")
        head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sample)}\r\n\r\n".encode()
        for _ in range(2):
            stalled = [socket.create_connection((host, int(port)), timeout=20) for _ in range(4)]
            for connection in stalled:
                connection.sendall(head + sample[:100])
            for _ in range(10):
                assert httpx.post(function.url, content=sample).status_code == 200
            for connection in stalled:
                with connection:
                    assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_uploads_that_arrive_in_time_start_one_thread_for_all() -> None:
    app = flask.Flask("test")
    threads = set()
    for _ in range(20):
        receiving, sending = socket.socketpair()
        with app.test_request_context("/", method="POST", data=b"photo") as context, receiving, sending:
            context.request.environ["gunicorn.socket"] = receiving
            assert request_body.read_body(context.request, 100, 0.5) == b"photo"
            threads |= {thread for thread in threading.enumerate() if thread.daemon}
            assert receiving.fileno() > 0
    assert len([thread for thread in threads if "watch" in thread.name.lower()]) == 1


def test_a_connection_is_not_shut_down_once_its_upload_has_ended() -> None:
    app = flask.Flask("test")
    receiving, sending = socket.socketpair()
    with app.test_request_context("/", method="POST", data=b"photo") as context, receiving, sending:
        context.request.environ["gunicorn.socket"] = receiving
        assert request_body.read_body(context.request, 100, 0.05) == b"photo"
        time.sleep(0.2)
        sending.sendall(b"next request")
        assert receiving.recv(100) == b"next request"


def test_an_upload_is_never_written_to_disk(sample: bytes) -> None:
    large = encode_image(Image.effect_noise((3000, 3000), 80).convert("RGB"), "PNG")
    assert len(large) > 20_000_000
    files_of_at_most_8_kib = "bash", "-c", 'ulimit -f 8; exec "$@" 2>/dev/null', "-"
    with (
        launched({"REQUEST_TIMEOUT_S": "120"}, wrapper=files_of_at_most_8_kib) as function,
        httpx.Client(base_url=function.url, timeout=120) as client,
    ):
        assert client.post("/", content=large).status_code == 200
        assert client.post("/", files={"file": ("large.png", large)}).status_code == 200
        assert client.post("/predict", files={"file": ("large.png", large)}).status_code == 200
