"""The real function behind the real server, and photos that the tests make."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from function import launched
from PIL import Image

if TYPE_CHECKING:
    from cloud.rehearse import Rehearsal

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "client" / "web" / "sample.jpg"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each file's tests in one process, and those of all files that look at the rehearsal, which is long."""
    for item in items:
        played = "rehearsal" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("rehearsal" if played else item.path.stem))


@contextmanager
def serving(*before: str, **env: str) -> Iterator[str]:
    """Run the function as the cloud runs it, and give its URL once it answers.

    before: a command that runs it
    """
    with launched(*before, **env) as function:
        yield function.url


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of the function with the bundled model, whose worker lives through all that the tests do to it."""
    with launched() as function:
        workers = function.workers()
        yield function.url
        assert function.workers() == workers, "the worker was replaced"


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
