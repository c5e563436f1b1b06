"""The problem of a study, whose data, model and loss are a user's own code."""

import traceback

from tautune import search_spaces
from tautune.records.errors import InputError
from tautune.search_spaces.stability_study import StabilityStudy
from tautune.trainables.theory.problem import Problem
from tautune.trainables.threshold.checks import check_problem


def study_and_problem(study: StabilityStudy | str) -> tuple[StabilityStudy, Problem]:
    """Returns the study, loaded if it is a name or a file, and its problem at the initial weights, checked.

    Raises:
        InputError: it cannot be used; what the study's own code raises is told with its traceback.
    """
    try:
        found = search_spaces.find(study) if isinstance(study, str) else study
    except ValueError as error:
        raise InputError(str(error)) from None
    try:
        problem = found.problem()
        check_problem(problem)
    except ValueError as error:
        raise InputError(str(error)) from None
    except (Exception, SystemExit) as error:
        where = found.source or found.name
        message = f"{where}: its data or its model: {type(error).__name__}: {error}"
        raise InputError(f"{_own_frames(error)}{message}") from None
    return found, problem


def _own_frames(error: BaseException) -> str:
    """Returns the traceback without our frames."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "tautune" not in frame.filename.split("/")]
    return "".join(traceback.StackSummary.from_list(own).format())
