"""Keeping freed memory instead of returning it to the system."""

import ctypes

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1


def keep_freed_memory() -> None:
    """Let glibc reuse the memory of freed tensors in this process; without glibc, do nothing.

    By default it returns the memory of each large tensor and faults its pages in again. That took 6% of training, 12%
    of sampling and, with a vocabulary of 49,152 at batch 32, two thirds of the time of mixing, measuring and drawing.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    for parameter in (MMAP_THRESHOLD, TRIM_THRESHOLD):
        mallopt(parameter, 2**31 - 1)
