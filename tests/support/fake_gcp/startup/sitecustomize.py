"""Refuse and record the attempts of gcloud and of the client to reach another machine, or to look up its name.

Python imports `sitecustomize` when it starts, from the first directory in PYTHONPATH. A look-up of a name leaves the
machine without any connection that a proxy could refuse.
"""

from __future__ import annotations

import os
import sys
from typing import Any

LOCAL = ("127.0.0.1", "::1", "localhost")


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse an audit event of the module socket with the name or the address of another machine.

    Args:
        event: The name of any audit event.
        arguments: Its arguments.

    Raises:
        OSError: If the event is refused.
    """
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        name = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        name = arguments[1][0]
    else:
        return
    text = name.decode() if isinstance(name, bytes) else str(name)
    if name is not None and text not in LOCAL:
        with open(os.environ["FAKE_GCP_LOOKUPS"], "a") as file:
            file.write(f"{text}\n")
        raise OSError(f"{text} is not on this machine")


if "FAKE_GCP_LOOKUPS" in os.environ:
    sys.addaudithook(refuse)
