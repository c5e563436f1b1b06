"""A study of the user's own, from a Python file."""

import hashlib
import importlib.util
import sys
import traceback
from dataclasses import replace
from pathlib import Path

from ray import cloudpickle

from tautune.search_spaces.tuning_study import TuningStudy


def load_user_study(name: str) -> TuningStudy:
    """The TuningStudy that the file calls STUDY.

    The file's functions and classes travel to the trials with the study, wherever these run.

    Raises:
        ValueError: no such file, no STUDY in it, or it raised; the message then ends with its own traceback.
    """
    path = Path(name)
    name = f"tautune_study_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        frames = traceback.extract_tb(error.__traceback__)
        first = next((i for i, frame in enumerate(frames) if frame.filename == str(path)), len(frames))
        lines = traceback.StackSummary.from_list(frames[first:]).format()
        raise ValueError(f"{''.join(lines)}{path} cannot be used: {type(error).__name__}: {error}") from None
    study = getattr(module, "STUDY", None)
    if not isinstance(study, TuningStudy):
        raise ValueError(f"{path} must set STUDY to a tautune.TuningStudy, not {type(study).__name__}")
    cloudpickle.register_pickle_by_value(module)
    return replace(study, source=path.resolve())
