"""The command that makes a run again, to be copied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tautune.analysis.pages.page import Section

Json = dict[str, Any]


def given_in(run: Json) -> str | None:
    """Returns the study's name or file; None for one that a program made.

    run.json has them since runs keep what they were given; before, a study's own name stood for its file.
    """
    last = (run.get("runs") or [{}])[-1]
    study = last.get("given", run["configuration"].get("study"))
    return None if study is None else str(study)


def again_section(run: Json, command: Callable[[str], str]) -> Section:
    """Returns the section with the command, which is made of the study's name or file."""
    study, title = given_in(run), "The command"
    if study is None:
        return Section(title=title, text=("There is none: the run was started from Python, with a study of its own.",))
    return Section(title=title, text=("The whole run again:",), commands=[command(study)])
