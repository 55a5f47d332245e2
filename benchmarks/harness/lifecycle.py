"""Several servers on one machine, of which only one runs at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TypeVar

from benchmarks.harness.photos import Photo
from benchmarks.harness.server_process import ServerFailed, ServerProcess, running
from benchmarks.harness.venvs import ServerSet

T = TypeVar("T")


def start_all(
    stack: contextlib.ExitStack, servers: ServerSet, photo: Photo, threads: int = 8, workers: int = 1
) -> list[ServerProcess]:
    """Start every available server and wait until it responds; a server that does not is marked absent.

    Args:
        stack: Stops the servers on exit.
        servers: The servers to start.
        photo: Photo of the first request.
        threads: Threads of each functions-framework server.
        workers: Worker processes of LitServe.

    Raises:
        ServerFailed: If our own server does not respond.
    """
    started = []
    for spec in list(servers.available):
        process = stack.enter_context(running(spec, servers.pythons[spec.name], threads, workers))
        try:
            process.first_response(spec.request(photo.data, photo.content_type))
            started.append(process)
        except ServerFailed as error:
            servers.mark_absent(spec, error)
            process.stop()
    return started


@contextlib.contextmanager
def others_paused(server: ServerProcess | None, servers: Sequence[ServerProcess]) -> Iterator[None]:
    """Pause all servers but one, or all if `server` is None."""
    with contextlib.ExitStack() as stack:
        for other in servers:
            if other is not server:
                stack.enter_context(other.paused())
        yield


def rotate(items: Sequence[T], turn: int) -> list[T]:
    """Rotate a list, so that each round starts with another item."""
    first = turn % len(items)
    return [*items[first:], *items[:first]]
