"""How much memory a device has left."""

import os
from pathlib import Path

import torch


def free_memory(device: torch.device) -> float:
    """Bytes that can still be had, on the CPU those of caches included, never more than a container's limit."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    limit = Path("/sys/fs/cgroup/memory.max")
    allowed = limit.read_text().strip() if limit.exists() else "max"
    free = _available()
    return min(free, float(allowed)) if allowed.isdecimal() else free


def _available() -> float:
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * float(line.split()[1])
    return 0.5 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
