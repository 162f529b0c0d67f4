"""Settings of the processes that compute: what the environment would change unseen, and freed memory."""

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


def multiply_exactly() -> None:
    """Let this process multiply float32 matrices in float32, whatever its environment says.

    ``TORCH_ALLOW_TF32_CUBLAS_OVERRIDE`` makes PyTorch start with TF32 products, of ten bits. Two runs under the same
    stage hash would then differ.
    """
    import torch

    torch.set_float32_matmul_precision("highest")
