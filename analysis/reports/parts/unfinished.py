"""What a page says of a run that has not come to its end."""

from __future__ import annotations

from typing import Any


def is_unfinished(run: dict[str, Any]) -> bool:
    """Returns whether the last command that worked in a run's folder has not ended as it should, by its run.json."""
    return "finished" not in (run.get("runs") or [{}])[-1]


def unfinished_note(how: str = "the same command") -> str:
    """Returns the note.

    Args:
        how: what goes on with such a run.
    """
    return (
        "This run is not over: it is going on, or it was stopped. The page shows what there is so far; "
        f"{how} goes on with a run that was stopped."
    )
