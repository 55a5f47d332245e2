"""Several servers on one machine, of which one is awake at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TypeVar

from benchmarks.harness.photos import Photo
from benchmarks.harness.server_process import Server, ServerFailed, serving
from benchmarks.harness.venvs import Field

T = TypeVar("T")


def start(stack: contextlib.ExitStack, field: Field, photo: Photo, threads: int = 8, workers: int = 1) -> list[Server]:
    """Start everyone, and wait until they answer; who does not is absent from then on.

    raises: ServerFailed where ours does not
    """
    servers = []
    for one in list(field.present):
        server = stack.enter_context(serving(one, field.pythons[one.name], threads, workers))
        try:
            server.first_reply(one.question(photo.data, photo.content_type))
            servers.append(server)
        except ServerFailed as reason:
            field.miss(one, reason)
            server.stop()
    return servers


@contextlib.contextmanager
def alone(server: Server | None, servers: Sequence[Server]) -> Iterator[None]:
    """Let all others sleep."""
    with contextlib.ExitStack() as stack:
        for other in servers:
            if other is not server:
                stack.enter_context(other.asleep())
        yield


def in_turn(contestants: Sequence[T], turn: int) -> list[T]:
    """Let another one begin in every round."""
    first = turn % len(contestants)
    return [*contestants[first:], *contestants[:first]]
