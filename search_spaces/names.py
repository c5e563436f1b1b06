"""Checks names: one of those that are known, or one of a user's own study."""

import difflib
from collections.abc import Iterable

LONGEST = 100
"""Length of a study's name in bytes at most: it becomes part of names of files, which have 255."""


def check_study_name(name: object) -> None:
    """Raises ValueError unless the name can be that of a folder and stand in one line."""
    text = name if isinstance(name, str) else ""
    usable = text.strip() and text.isprintable() and not set("/\\") & set(text) and text[0] != "."
    if not usable or len(text.encode(errors="replace")) > LONGEST:
        raise ValueError(f"name must be a word that can name a folder, not {name!r}")


def check_name(kind: str, name: str, known: Iterable[str]) -> None:
    """Raises ValueError, which tells the nearest names, if the name is not a known one."""
    names = sorted(known)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(names)}"
        raise ValueError(f"{kind} {name!r} is unknown; {hint}")
