"""Checks a name against those that are known."""

import difflib
from collections.abc import Iterable


def check_name(kind: str, name: str, known: Iterable[str]) -> None:
    """Raises ValueError, which tells the nearest names, if the name is not a known one."""
    names = sorted(known)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(names)}"
        raise ValueError(f"{kind} {name!r} is unknown; {hint}")
