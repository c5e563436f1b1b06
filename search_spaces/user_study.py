"""A study of the user's own, from a Python file."""

import sys
import traceback
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from tautune.search_spaces.loop_study import LoopStudy
from tautune.search_spaces.stability_study import StabilityStudy
from tautune.search_spaces.study_modules import StudyModules, install
from tautune.search_spaces.tuning_study import TuningStudy

Study = StabilityStudy | TuningStudy | LoopStudy


def load_user_study(name: str) -> Study:
    """Returns the study that the file calls STUDY.

    The file may import modules that lie beside it; they travel with the study to wherever a trial runs.

    Raises:
        ValueError: there is no STUDY in the file, or it cannot be imported; the message then begins with its own
            traceback and ends with one line that says it all.
    """
    path = Path(name).resolve()
    try:
        modules = StudyModules.beside(path)
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}") from None
    install(modules)
    try:
        module = import_module(modules.name)
    except (Exception, SystemExit) as error:
        sys.modules.pop(modules.name, None)
        files = {source.path for source in modules.sources.values()}
        raise ValueError(f"{_own_traceback(error, files)}{name} cannot be used: {_in_a_line(error)}") from None
    study = getattr(module, "STUDY", None)
    if not isinstance(study, Study):
        kinds = "a StabilityStudy, TuningStudy or LoopStudy"
        found = f"not {type(study).__name__}" if hasattr(module, "STUDY") else "and there is no STUDY in it"
        raise ValueError(f"{name} must set STUDY to {kinds}, {found}")
    return replace(study, source=path)


def _own_traceback(error: BaseException, files: set[str]) -> str:
    """Returns the traceback from the study's own files on, and what Python shows of a line with wrong syntax."""
    frames = traceback.extract_tb(error.__traceback__)
    first = next((i for i, frame in enumerate(frames) if frame.filename in files), len(frames))
    last = max((i for i, frame in enumerate(frames) if frame.filename in files), default=-1)
    ours = [i for i, frame in enumerate(frames) if i > last and "tautune" in frame.filename.split("/")]
    end = min(ours, default=len(frames))  # a study that refuses a value: what happens inside tells nobody anything
    shown = [frame for frame in frames[first:end] if not frame.filename.startswith("<")]
    lines = traceback.StackSummary.from_list(shown).format()
    said = traceback.format_exception_only(error)
    return "".join([*lines, *(said if "\n" in str(error) else said[:-1])])


def _in_a_line(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return "it ends the program with sys.exit() as soon as it is imported"
    first, *_ = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {first}"
