"""The machine that a bench ran on, as far as times depend on it."""

import os
import platform
from pathlib import Path

import torch

CPU_FACTS = Path("/proc/cpuinfo")

INSTRUCTIONS = {
    "avx2": "avx2",
    "avx512f": "avx512",
    "avx512_bf16": "avx512_bf16",
    "amx_bf16": "amx_bf16",
    "sve": "sve",
    "bf16": "bf16",
}
"""Flags of ``/proc/cpuinfo`` on which the time of matrix products depends, and what they are called here."""


def machine(device: str) -> str:
    """Return the GPU's name, or threads, cores, model and instruction sets of the CPU."""
    if device != "cpu":
        return str(torch.cuda.get_device_name())
    model, instructions = cpu()
    known = f" ({', '.join(instructions)})" if instructions else ""
    return f"{torch.get_num_threads()} threads on {os.cpu_count()} cores of {model}{known}"


def cpu() -> tuple[str, list[str]]:
    """Return the CPU's model and those of its instruction sets that matter, none where the system does not say."""
    facts: dict[str, str] = {}
    try:
        for line in CPU_FACTS.read_text().splitlines():
            name, _, value = line.partition(":")
            facts.setdefault(name.strip(), value.strip())
    except OSError:
        pass
    flags = facts.get("flags", facts.get("Features", "")).split()
    model = facts.get("model name") or platform.processor() or platform.machine()
    return model, [name for flag, name in INSTRUCTIONS.items() if flag in flags]
