"""Fixtures of the tests of the function."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.support.function_process import serving
from tests.support.gcs_emulator import GcsEmulator
from tests.support.storage_events import SETTINGS


@pytest.fixture(scope="module")
def event_function(gcs_emulator: GcsEmulator) -> Iterator[httpx.Client]:
    """A client of a function that handles the events of the bucket of photos."""
    with (
        serving(**SETTINGS, STORAGE_EMULATOR_HOST=gcs_emulator.url) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client
