"""The real function behind the real server, and photos that the tests make."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest
from PIL import Image

from tests.support.function_process import launched
from tests.support.images import Encode
from tests.support.paths import SAMPLE

if TYPE_CHECKING:
    from tests.support.fake_gcp.rehearse import Rehearsal


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each file's tests in one process, and those of all files that look at the rehearsal, which is long."""
    for item in items:
        played = "rehearsal" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("rehearsal" if played else item.path.stem))


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
    from tests.support.fake_gcp.rehearse import rehearse  # here, since few tests need what it needs
    from tests.support.fake_gcp.stand_in import Cloud

    with Cloud() as cloud:
        yield rehearse(cloud, tmp_path_factory.mktemp("rehearsal"), print)
