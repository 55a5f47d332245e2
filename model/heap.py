"""The C library's heap, where the pixels lie."""

from __future__ import annotations

import ctypes

M_ARENA_MAX = -8  # of glibc's malloc.h


def share() -> None:
    """Let all threads use one heap; where the C library is not glibc, leave it as it is.

    By default each thread gets a heap of its own, which keeps what its largest photo took: sixteen threads keep
    sixteen times that. Call this before there are threads.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
