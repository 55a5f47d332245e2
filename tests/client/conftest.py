"""Fixtures of the client's tests: a fake of the function, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from client import Client
from tests.support.fake_function import FakeFunction, running_fake
from tests.support.photo_folder import NAMES, write_photo


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeFunction]:
    """A fake of the function, to which SILHOUETTE_URL points."""
    with running_fake() as running:
        monkeypatch.setenv("SILHOUETTE_URL", running.url)
        yield running


@pytest.fixture
def client(fake: FakeFunction) -> Iterator[Client]:
    """A client of the fake."""
    with Client(fake.url, deadline_s=20) as client:
        yield client


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with the photos NAMES, whose seeds are their positions in it."""
    folder = tmp_path / "photos"
    for seed, name in enumerate(NAMES):
        write_photo(folder / name, seed)
    return folder
