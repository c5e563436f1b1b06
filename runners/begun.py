"""What run.json keeps of a command that begins to work in the folder of a sweep, a grid, an edge or a probe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tautune.records.provenance import provenance, time_of

if TYPE_CHECKING:
    from tautune.search_spaces.stability_study import StabilityStudy


def begun(study: StabilityStudy | str | None, started: float) -> dict[str, Any]:
    """Returns when it started, what it was given, and with what it works.

    Args:
        study: its name or its file, which can stand in a command, or itself, which a program made, or None of it.
        started: `time.monotonic()` at the command's start.
    """
    return {
        "started": time_of(started),
        "given": study if isinstance(study, str) else None,
        **provenance(),
    }
