"""A browser that opens the page of the function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.browser import Open, launch_chromium, page_opener


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A running Chromium; the tests are skipped if it is not installed."""
    with launch_chromium() as browser:
        yield browser


@pytest.fixture
def visit(chromium: Any, server: str) -> Iterator[Open]:
    """A function that opens the page."""
    with page_opener(chromium, server) as visit:
        yield visit
