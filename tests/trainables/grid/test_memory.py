from pathlib import Path

import pytest
import torch

from tautune.trainables.grid import memory
from tautune.trainables.grid.memory import free_memory

CPU = torch.device("cpu")
NAMES = {
    "version 2": ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    "version 1": (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "meminfo").write_text("MemTotal: 99 kB\nMemAvailable: 9000 kB\n")
    (tmp_path / "memory").mkdir()
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    return tmp_path


@pytest.mark.parametrize("version", NAMES)
def test_of_a_containers_limit_what_is_in_use_is_not_free(machine: Path, version: str) -> None:
    limit, usage, statistics, cache = NAMES[version]
    for name, content in {limit: "5000000", usage: "4000000", statistics: f"anon 9\n{cache} 1500000"}.items():
        (machine / name).write_text(f"{content}\n")
    assert free_memory(CPU) == 5e6 - 4e6 + 1.5e6
    (machine / usage).write_text("9000000\n")
    assert free_memory(CPU) == 0
    (machine / limit).write_text("max\n" if version == "version 2" else f"{2**63 - 4096}\n")
    assert free_memory(CPU) == 9000 * 1024


def test_without_a_container_it_is_what_the_machine_has(machine: Path) -> None:
    assert free_memory(CPU) == 9000 * 1024
