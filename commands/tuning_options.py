"""The options of `tautune tune`, in the groups in which its help shows them."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from tautune.commands.options import completion, study_completion
from tautune.records.errors import user_input
from tautune.runners.methods import SCHEDULERS, SEARCHES
from tautune.search_spaces.names import check_name

_search = partial(typer.Option, rich_help_panel="How to search")
_begin = partial(typer.Option, rich_help_panel="Where to begin, and what stays")
_best = partial(typer.Option, rich_help_panel="What is best")
_data = partial(typer.Option, rich_help_panel="Examples and their splits")
_resources = partial(typer.Option, rich_help_panel="Time and machine")
OF_STUDY = "the study's"
"""The default of what a study decides."""


def _choice(option: str, names: tuple[str, ...], text: str) -> Any:
    """Returns an option that is one of some names; the error for another one names the nearest of them."""

    def check(value: str | None) -> str | None:
        if value is not None:
            with user_input():
                check_name(option, value, names)
        return value

    listed = f"{text}: {', '.join(names[:-1])} or {names[-1]}."
    return _search(
        help=listed, metavar="NAME", callback=check, autocompletion=completion(*names), show_default=OF_STUDY
    )


Study = Annotated[
    str,
    typer.Argument(
        help="One of `tautune studies`, or a file of your own: path/to/my_study.py.",
        autocompletion=study_completion("tune"),
    ),
]
Search = Annotated[str | None, _choice("--search", SEARCHES, "How configurations are chosen")]
Scheduler = Annotated[str | None, _choice("--scheduler", SCHEDULERS, "What ends a trial early")]
Trials = Annotated[int | None, _search(help="Configurations to try.", show_default=OF_STUDY)]
MaxEpochs = Annotated[
    int | None, _search(help="Epochs of a trial at most; of a loop of your own, its reports.", show_default=OF_STUDY)
]
Seed = Annotated[int, _search(min=0, max=2**31, help="Seed of the search and of the initial weights.")]

Fixed = Annotated[
    list[str] | None,
    _begin("--set", metavar="NAME=VALUE", help="Fix a hyperparameter: --set delay=8. May be repeated."),
]
StartFrom = Annotated[
    str | None,
    _begin(
        metavar="DIR",
        help="Try first what an earlier run of this space, or of a related one, found.",
        show_default=False,
    ),
]
StartPoints = Annotated[str, _begin(metavar="best|all", help="Which of its configurations.")]
Points = Annotated[
    list[str] | None,
    _begin("--point", metavar="JSON", help="""Try this first: --point '{"learning_rate": 0.1}'. May be repeated."""),
]

Goals = Annotated[
    list[str] | None,
    _best(
        metavar="NAME[:min|max]",
        help="What trials are compared by; several make a Pareto front.",
        show_default=OF_STUDY,
    ),
]
AtMost = Annotated[
    list[str] | None,
    _best(metavar="NAME=NUMBER", help="What a trial is above is never the best: --at-most epoch_seconds=2."),
]

Folds = Annotated[int, _data(min=1, help="Cross-validate each configuration on so many folds.")]
Repeats = Annotated[int, _data(min=1, help="Splits, or divisions into folds, to average over.")]
Examples = Annotated[
    int | None, _data(min=1, help="Training examples at most, a fixed part of them.", show_default=OF_STUDY)
]
SplitSeed = Annotated[
    int, _data(min=0, max=2**31, help="Seed of the splits: runs with other --seed share their splits.")
]
DataDir = Annotated[Path | None, _data(help="Where data sets are looked for first.", show_default=False)]

Concurrent = Annotated[int | None, _resources(min=1, help="Trials at once at most.")]
TimeBudget = Annotated[float | None, _resources(help="Seconds after which no trial goes on.")]
Cpus = Annotated[float, _resources(help="CPU cores that a trial takes.")]
Gpus = Annotated[float, _resources(help="GPUs that a trial takes; fractions share one.")]

Output = Annotated[
    str | None, typer.Option(help="New folder for the results, or s3://…, gs://…", show_default="results/STUDY")
]
Folder = Annotated[str, typer.Argument(metavar="DIR", help="A folder that `tautune tune` wrote, or s3://…, gs://…")]
DataDirOfRefit = Annotated[Path | None, typer.Option(help="Where data sets are looked for first.", show_default=False)]
Trust = Annotated[
    bool, typer.Option("--trust", help="Run the study's file that DIR names, even where DIR may be somebody else's.")
]
