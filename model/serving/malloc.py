"""Settings of the C library's heap, which holds the pixels."""

from __future__ import annotations

import ctypes

M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -8, -3, -1  # from glibc's malloc.h
MMAP_THRESHOLD_BYTES = 1 << 23  # below Pillow's blocks of pixels, which are just under 1 << 24
TRIM_THRESHOLD_BYTES = 1 << 23  # free memory at the end of the heap that is kept for the next request


def use_single_arena() -> None:
    """Let all threads allocate from one arena, and map large blocks separately. Does nothing without glibc.

    By default each thread has its own arena, which keeps the memory of the largest photo that the thread processed:
    sixteen threads keep sixteen times as much. glibc also raises the mmap threshold once large blocks are freed; from
    then on they are allocated in the heap, where a small block above them prevents their return to the system.
    Setting the threshold turns that off. Call this before threads start.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
        mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES)
