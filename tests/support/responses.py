"""Parsing of the function's responses."""

from __future__ import annotations

import io

import httpx
from PIL import Image

from tests.support.paths import ROOT

INTERNALS = ("Traceback", "site-packages", str(ROOT), ".py", "Error(")


def image_of(response: httpx.Response) -> Image.Image:
    """Return the image in a successful response."""
    assert response.status_code == 200, response.text
    return Image.open(io.BytesIO(response.content))


def problem_of(response: httpx.Response) -> tuple[int, str]:
    """Return the status and code of a problem response (RFC 9457), after checking its form."""
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem.keys() == {"type", "title", "status", "detail", "code"}
    assert problem["status"] == response.status_code
    for text in INTERNALS:
        assert text not in problem["detail"]
    return problem["status"], problem["code"]
