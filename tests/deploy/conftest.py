"""Fixtures that several of these tests use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fake_gcp.cloud import FakeCloud


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    """A project with nothing deployed, in which the test must deploy nothing."""
    with FakeCloud() as cloud:
        yield cloud
        assert cloud.project.services == {}
        assert cloud.refused_connections == []
        assert cloud.unexpected == []
