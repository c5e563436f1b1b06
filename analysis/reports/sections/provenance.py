"""What every page says at its end: with what the run was made, on what, and when."""

from __future__ import annotations

from typing import Any

from tautune.analysis.pages.page import Section, Table
from tautune.records.provenance import readable

Json = dict[str, Any]


def provenance_section(run: Json) -> Section:
    """Returns the commands that worked in a folder, as its run.json tells: versions, commit, hardware, times."""
    runs = run.get("runs") or []
    names = ("started", "finished", "duration", "commit", "project", "processor", "cores", "memory", "GPUs")
    columns = [_facts(entry) for entry in runs]
    for facts, entry in zip(columns[:-1], runs, strict=False):
        if "finished" not in entry:
            facts["finished"] = "was stopped"
    packages = list(dict.fromkeys(name for entry in runs for name in entry.get("versions") or {}))
    heads = ["command"] if len(runs) == 1 else [f"command {number}" for number in range(1, len(runs) + 1)]
    rows: list[list[Any]] = [[name, *told] for name in names if any(told := [facts[name] for facts in columns])]
    rows += [[name, *((entry.get("versions") or {}).get(name) for entry in runs)] for name in packages]
    return Section(
        title="Versions and hardware",
        text=() if runs else ("This folder does not tell.",),
        table=Table(columns=("", *heads), rows=rows) if runs else None,
    )


def _facts(entry: Json) -> Json:
    hardware, project = entry.get("hardware") or {}, entry.get("project") or {}
    memory = hardware.get("memory_bytes")
    edited = {True: "", False: ", edited", None: ""}[project.get("clean")]
    return {
        "started": readable(entry.get("started") or ""),
        "finished": readable(entry.get("finished", "not yet")),
        "duration": duration(entry["duration_seconds"]) if "duration_seconds" in entry else None,
        "commit": entry.get("commit"),
        "project": f"{project['commit']}{edited}" if project.get("commit") else None,
        "processor": hardware.get("processor"),
        "cores": hardware.get("cores"),
        "memory": f"{memory / 2**30:.1f} GiB" if memory else None,
        "GPUs": ", ".join(hardware.get("gpus") or []) or "none",
    }


def duration(seconds: float) -> str:
    """Returns a time as it is said: 23 s, 4 min 10 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.3g} s"
    minutes, left = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {left} s"


def total_duration(run: Json) -> str | None:
    """Returns how long all commands in a folder took together; None if none of them has ended."""
    seconds = [entry["duration_seconds"] for entry in run.get("runs") or [] if "duration_seconds" in entry]
    return duration(sum(seconds)) if seconds else None
