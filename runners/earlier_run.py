"""The configurations of an earlier run, from which a new one starts. Imports neither torch nor Ray."""

from typing import Any, Literal

from tautune.records.errors import InputError, user_input
from tautune.records.storage import folder_at
from tautune.records.tuning_folder import read_tuning
from tautune.runners.trial_rows import read_rows
from tautune.runners.trials import BAD
from tautune.search_spaces.names import check_name
from tautune.trainables.goal import goal_in

Config = dict[str, Any]
Which = Literal["best", "all"]
WHICH: tuple[Which, ...] = ("best", "all")


def points_of(place: str, which: str = "best") -> tuple[Config, ...]:
    """Returns configurations that an earlier run tried, the best first; never one that diverged or failed.

    Args:
        place: the folder of a tuning, or s3://…, gs://….
        which: best for the best one alone, or all.

    Raises:
        InputError: there is no such folder, or none of its trials got anywhere.
    """
    with user_input():
        check_name("start_points", which, WHICH)
    folder = folder_at(place)
    rows = read_rows(folder, goal_in(read_tuning(folder)["configuration"]))
    configs = [row["config"] for row in rows if row["state"] not in BAD]
    if not configs:
        raise InputError(f"{folder} has no trial to start from: none has reported without diverging or failing")
    return tuple(configs[:1] if which == "best" else configs)
