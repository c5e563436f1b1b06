"""What has come of a tuning, in a few lines of Markdown: for those who see its pictures and not its terminal."""

import shlex
from collections import Counter
from typing import Any

from tautune.analysis.trial_names import trial_name, varying_in
from tautune.analysis.verdicts import plain
from tautune.records.provenance import command_line
from tautune.runners.trials import Trials
from tautune.trainables.goal import goal_in

Json = dict[str, Any]
Command = tuple[str, ...]


def verdict(configuration: Json, trials: Trials) -> str:
    """Returns the best trial, its hyperparameters, what became of the others, and the commands that come next.

    Args:
        configuration: that of run.json.
        trials: as far as they have got.
    """
    study = plain(configuration["study"].rpartition("/")[2])
    states = Counter(row["state"] for row in trials.rows.values())
    counts = ", ".join(f"{count} {state}" for state, count in states.most_common())
    begun = f"{len(trials.rows)} of {trials.total} trials{f': {counts}' if counts else ''}"
    best = trials.best()
    if best is None:
        return f"**{study}** has no best trial yet ({begun}).\n\n{_commands(configuration, trials)}"
    goal = trials.goal
    name = plain(trial_name(best.get("number") or best["trial"], best["config"], varying_in(configuration)))
    rows = "".join(f"| {plain(parameter)} | {plain(_short(value))} |\n" for parameter, value in best["config"].items())
    return (
        f"**{study}**: {plain(goal.words)} **{best[goal.metric]:.5g}** at {goal.unit.removesuffix('s')} "
        f"{best['epochs']} of {best['epochs_trained']} ({begun}). The best trial is {name}\n\n"
        f"{_commands(configuration, trials)}\n\n| hyperparameter | of the best trial |\n|---|---|\n{rows}"
    )


def _short(value: Any) -> str:
    """Returns a hyperparameter's value to six digits; best.json has all of them."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def after_the_last_trial(configuration: Json, place: str) -> list[Command]:
    """Returns how a tuning that is whole can be gone on with, of which nothing is refused."""
    steps: list[Command] = [] if goal_in(configuration).is_of_a_loop else [("refit", place)]  # a loop need not say how
    if configuration.get("search") != "grid":  # which has tried all that there is
        steps.append(("extend", place, "--trials", "10"))
    return steps


def _commands(configuration: Json, trials: Trials) -> str:
    typed, place = command_line(), str(trials.folder)
    go_on = after_the_last_trial(configuration, place) if trials.whole else [("resume", place)]
    lines = [typed] if typed else []
    lines += [f"tautune {shlex.join(command)}" for command in (("results", place), *go_on)]
    return "\n".join(f"    {line}" for line in lines)
