"""Images that the tests make."""

from __future__ import annotations

from collections.abc import Callable

Encode = Callable[..., bytes]  # (image, format, **options of Pillow's writer)
