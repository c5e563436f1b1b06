"""Finds out how much memory a device has left."""

import os
from pathlib import Path

import torch

CGROUPS = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")


def free_memory(device: torch.device) -> float:
    """Returns the free bytes; on the CPU at most what the container has left of its limit."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    return min(_available(), _left_in_container())


def _left_in_container() -> float:
    """Returns the limit minus the bytes in use, not counting inactive page cache; infinity without a limit."""
    for limit, usage, cache in (
        ("memory.max", "memory.current", "inactive_file"),  # version 2
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),  # version 1
    ):
        try:
            allowed, used = ((CGROUPS / name).read_text().strip() for name in (limit, usage))
            statistics = (CGROUPS / limit).with_name("memory.stat").read_text()
        except OSError:
            continue
        if allowed.isdecimal():
            reclaimable = dict(line.split() for line in statistics.splitlines()).get(cache, "0")
            return max(0.0, float(allowed) - float(used) + float(reclaimable))
    return float("inf")


def _available() -> float:
    if MEMINFO.exists():
        for line in MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * float(line.split()[1])
    return 0.5 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
