"""Keep memory that was freed, instead of giving it back to the system."""

import ctypes

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1


def keep_freed_memory() -> None:
    """Let glibc reuse the memory of freed tensors, for this process; elsewhere nothing happens.

    By default it gives each large tensor back and faults its pages in again: that took 6% of training, 12% of sampling
    and, with a vocabulary of 49,152 at batch 32, two thirds of the time of mixing, measuring and drawing.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    for parameter in (MMAP_THRESHOLD, TRIM_THRESHOLD):
        mallopt(parameter, 2**31 - 1)
