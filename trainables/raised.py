"""Makes a result of what a study's own code raises in a trial: another try would end alike."""

import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any

Step = Callable[[Any], dict[str, Any]]
RAISED = "raised"
"""Name of the result's entry that holds the traceback."""


def is_rays_own(error: BaseException) -> bool:
    """Returns whether it is the SystemExit with which Ray ends a process: that one carries its reason."""
    return isinstance(error, SystemExit) and bool(vars(error))


def ends_with_what_it_raises(step: Step) -> Step:
    """Returns a trial's step that ends the trial, with the traceback as its result, where `step` raises or exits."""

    @wraps(step)
    def guarded(trial: Any) -> dict[str, Any]:
        try:
            return step(trial)
        except (Exception, SystemExit) as error:
            if is_rays_own(error):
                raise
            return {RAISED: traceback.format_exc(), "done": True}

    return guarded


def own_traceback(error: BaseException) -> str:
    """Returns the traceback of what a user's code raised, without Ray's, which brought it here from another thread."""
    while type(error).__name__ == "StartTraceback" and error.__cause__ is not None:
        error = error.__cause__
    return "".join(traceback.format_exception(error))
