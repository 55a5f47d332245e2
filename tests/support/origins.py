"""Output files of the command line, without the origin that they hold."""

from __future__ import annotations

import json
from pathlib import Path


def without_origin(path: Path) -> bytes:
    """Return the content of a PNG or JSON file as the server sent it.

    Raises:
        ValueError: If the file holds no origin.
    """
    data = path.read_bytes()
    if data.startswith(b"{"):
        start = data.index(b", ", json.JSONDecoder().raw_decode(data.decode(), len('{"silhouette": '))[1])
        return b"{" + data[start + 2 :]
    at = 8
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 19] == b"tEXtsilhouette\0":
            return data[:at] + data[end:]
        at = end
    raise ValueError(f"{path} has no origin")
