"""What is asked of the server about a photo, and where."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Literal, get_args

import httpx

Output = Literal["mask", "probability", "overlay", "cutout", "json"]
Size = Literal["photo", "model"]
OUTPUTS: tuple[str, ...] = get_args(Output)
SIZES: tuple[str, ...] = get_args(Size)
DEFAULT_URL = "http://127.0.0.1:8080"


@dataclass(frozen=True)
class Question:
    """Hold the options of one request; None leaves the choice to the server."""

    output: Output = "mask"
    threshold: float | None = None
    class_name: str | None = None
    size: Size | None = None

    def parameters(self) -> dict[str, str]:
        """Yield the query, with nothing in it that was not asked for."""
        asked = {
            "output": None if self.output == "mask" else self.output,
            "threshold": None if self.threshold is None else f"{self.threshold:g}",
            "class": self.class_name,
            "size": self.size,
        }
        return {name: value for name, value in asked.items() if value is not None}


def read_url(url: str) -> httpx.URL:
    """Read the address of a function.

    raises: ValueError
    """
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"{url!r} is no address: {error}") from error
    if address.scheme not in ("http", "https") or not address.host:
        raise ValueError(f"{url!r} is no whole address: it begins with http:// or https://")
    return address


def is_loopback(address: httpx.URL) -> bool:
    """Tell whether an address is this very machine."""
    try:
        return ipaddress.ip_address(address.host).is_loopback
    except ValueError:
        return address.host == "localhost" or address.host.endswith(".localhost")
