"""The real function behind the real server, and photos that the tests make."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from PIL import Image

if TYPE_CHECKING:
    from cloud.rehearse import Rehearsal

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "client" / "web" / "sample.jpg"


def free_port() -> int:
    """Ask the system for a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(*before: str, **env: str) -> Iterator[str]:
    """Run the function as the cloud runs it, and give its URL once it answers.

    before: a command that runs it
    """
    port = free_port()
    command = [
        *before,
        sys.executable,
        "-m",
        "functions_framework",
        "--target",
        "run",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "THREADS": "16", **env})
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert process.poll() is None, f"the function stopped with {process.returncode}"
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except urllib.error.HTTPError:
                break  # it answers, if only that it has no model yet
            except OSError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of the function with the bundled model."""
    with serving() as url:
        yield url


@pytest.fixture(scope="session")
def http(server: str) -> Iterator[httpx.Client]:
    """A client whose paths are the function's."""
    with httpx.Client(base_url=server, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def sample() -> bytes:
    """The sample photo, a JPEG of 451 x 300."""
    return SAMPLE.read_bytes()


Encode = Callable[..., bytes]


@pytest.fixture(scope="session")
def encode() -> Encode:
    """A function that writes a picture as bytes of a format."""

    def encode(image: Image.Image, kind: str, **options: object) -> bytes:
        with io.BytesIO() as file:
            image.save(file, kind, **options)
            return file.getvalue()

    return encode


@pytest.fixture(scope="session")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """The way to the cloud and back, on a stand-in: played once for all that look at it."""
    from cloud.rehearse import rehearse  # here, since few tests need what it needs
    from cloud.stand_in import Cloud

    with Cloud() as cloud:
        yield rehearse(cloud, tmp_path_factory.mktemp("rehearsal"), print)
