"""Fixtures that several folders of tests use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.function_process import launched
from tests.support.images import Encode, encode_image
from tests.support.paths import SAMPLE

if TYPE_CHECKING:
    from tests.support.fake_gcp.rehearse import Rehearsal
    from tests.support.gcs_emulator import GcsEmulator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run each file's tests in one process (`--dist loadgroup`), and those that share the long rehearsal in one too."""
    for item in items:
        uses_rehearsal = "rehearsal" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("rehearsal" if uses_rehearsal else item.path.stem))


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of the function with the bundled model. Its worker must survive all tests."""
    with launched() as function:
        workers = function.workers()
        yield function.url
        assert function.workers() == workers, "the worker was replaced"


@pytest.fixture(scope="session")
def http(server: str) -> Iterator[httpx.Client]:
    """A client of that function."""
    with httpx.Client(base_url=server, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def sample() -> bytes:
    """The sample photo, a JPEG of 451 x 300 pixels."""
    return SAMPLE.read_bytes()


@pytest.fixture(scope="session")
def sample_mask(sample: bytes) -> bytes:
    """The mask of the sample photo, computed in this process."""
    from tests.support.local_segmenter import local_mask  # takes long to import

    return local_mask(sample)


@pytest.fixture(scope="session")
def encode() -> Encode:
    """The function `encode_image`."""
    return encode_image


@pytest.fixture(scope="session")
def gcs_emulator() -> Iterator[GcsEmulator]:
    """Cloud Storage on this machine, with a bucket of models, two of photos and one of masks."""
    from tests.support.gcs_emulator import run_emulator  # google.cloud.storage takes long to import

    with run_emulator("models", "photos", "more-photos", "masks") as emulator:
        yield emulator


@pytest.fixture
def gcs(gcs_emulator: GcsEmulator, monkeypatch: pytest.MonkeyPatch) -> GcsEmulator:
    """Cloud Storage on this machine with empty buckets and no faults; clients that the test creates use it."""
    gcs_emulator.reset()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_emulator.url)
    return gcs_emulator


@pytest.fixture(scope="session")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """All steps of a deployment against the fake Google Cloud, run once for the tests that inspect it."""
    from tests.support.fake_gcp.cloud import FakeCloud  # imported here because most tests do not need it
    from tests.support.fake_gcp.rehearse import rehearse

    with FakeCloud() as cloud:
        yield rehearse(cloud, tmp_path_factory.mktemp("rehearsal"), print)
