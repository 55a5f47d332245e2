"""The C library's heap, where the pixels lie."""

from __future__ import annotations

import ctypes

M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -8, -3, -1  # of glibc's malloc.h
LARGE_BYTES = 1 << 23  # Pillow keeps pixels in blocks of just under 1 << 24
KEPT_BYTES = 1 << 23  # free at the heap's end, for the next request


def share() -> None:
    """Let all threads use one heap; where the C library is not glibc, leave it as it is.

    By default each thread gets a heap of its own, which keeps what its largest photo took: sixteen threads keep
    sixteen times that. And large blocks would lie in the heap once some were freed, where a small one above them
    keeps them from going back: so each is mapped by itself, always. Call this before there are threads.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
