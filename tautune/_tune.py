"""`tautune.tune`: searches a study's space for the best configuration on Ray, and keeps the results in a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tautune._tuning_result import Place
from tautune._tuning_result import TuningResult as TuningResult
from tautune._tuning_result import tuning_result as tuning_result
from tautune.analysis.reported import report_at_end
from tautune.cluster.session.session import IN_TUNING, ray_session
from tautune.records.errors import user_input
from tautune.records.storage import Folder, output_folder
from tautune.records.tuning_folder import TuningFolder, check_new, make_folder
from tautune.runners import tuning_checks
from tautune.runners.earlier_run import WHICH, points_of
from tautune.runners.early_ray import early_ray
from tautune.runners.listeners import STARTING
from tautune.runners.trial_rows import read_rows
from tautune.runners.tuning_checks import Options, options_among
from tautune.runners.tuning_listener import TuningListener
from tautune.search_spaces.defaults import check_points
from tautune.search_spaces.names import check_name
from tautune.trainables.goal import goal_in

if TYPE_CHECKING:
    from tautune.search_spaces.loop_study import LoopStudy
    from tautune.search_spaces.tuning_study import TuningStudy
    from tautune.trainables.asynchronous.settings import Stages, Workers

IMPORTS = ("torch", "pandas", "hyperopt.hp", "sklearn.model_selection")
"""Slowest imports of a tuning, which can be loaded while Ray starts."""


def tune(
    study: "TuningStudy | LoopStudy | str | Path",
    *,
    trials: int | None = None,
    search: str | None = None,
    scheduler: str | None = None,
    max_epochs: int | None = None,
    fixed: dict[str, Any] | None = None,
    folds: int = 1,
    repeats: int = 1,
    examples: int | None = None,
    concurrent: int | None = None,
    time_budget: float | None = None,
    cpus_per_trial: float = 1,
    gpus_per_trial: float = 0,
    workers: "Workers | None" = None,
    stages: "Stages | None" = None,
    seed: int = 0,
    split_seed: int = 0,
    data_dir: str | Path | None = None,
    points_to_evaluate: Sequence[dict[str, Any]] = (),
    start_from: Place | None = None,
    start_points: Literal["best", "all"] = "best",
    goals: Sequence[str] = (),
    at_most: dict[str, float] | None = None,
    output: Place | None = None,
    progress: bool | TuningListener = False,
) -> TuningResult:
    """Searches a study's space for the configuration with the best validation accuracy, or the best metric of a loop.

    If no Ray is running and RAY_ADDRESS is not set, one is started on this machine and stopped at the end.

    Args:
        study: a TuningStudy, a LoopStudy, the name of a built-in one, or the path of a file that sets STUDY to one.
        trials: number of configurations to try. For this and the next four, None means the study's own value.
        search: grid, random, hyperopt, optuna-tpe, nsga2, gp, cmaes, pso, de or gradient.
        scheduler: none, asha, hyperband, median, pbt or pb2.
        max_epochs: largest number of epochs of a trial; of a loop, of its reports.
        examples: largest number of training images, a fixed stratified part of them.
        fixed: hyperparameters to fix, with their values.
        folds: number of folds for cross-validating each configuration, if more than 1.
        repeats: number of splits, or of divisions into folds, to average over.
        concurrent: largest number of trials at once.
        time_budget: seconds after which all trials stop.
        cpus_per_trial: CPU cores for each trial.
        gpus_per_trial: GPUs for each trial; with a fraction, trials share a GPU.
        workers: processes that compute each trial's gradients, which are then as late as they are; with them, a trial's
            own CPUs and GPUs are those of its parameter server. Each trial's folder has a delays.csv.
        stages: an asynchronous pipeline, into whose stages each trial's model is cut; it must be an nn.Sequential.
        seed: seed of the search and of the initial weights.
        split_seed: seed of the splits, which do not depend on `seed`.
        data_dir: folder in which data sets are looked for first.
        points_to_evaluate: configurations to try first, or parts of some, before those of the study.
        start_from: folder of an earlier tuning, of this space or a related one, whose configurations are tried first:
            a value that does not fit is left out, and what is missing is drawn at random.
        start_points: best for the best one of them, or all.
        goals: what trials are compared by instead of the study's metric: numbers that they report, each as name:min or
            name:max where it is not clear. Several make a Pareto front; the first one decides which trial is the best,
            and which ones a scheduler ends early. Besides its scores, the built-in loop has parameters, epoch_seconds
            and examples_per_second.
        at_most: limits of such numbers; what is above one is never the best trial.
        output: a new folder for the results; None means results/NAME, with the name of the
            study or of its file.
        progress: whether to show progress on the terminal.

    Raises:
        ValueError: an argument, the study or its data cannot be used.
        RuntimeError: a trial failed, every trial diverged, or the run was stopped; the folder keeps the results so far.
    """
    given = locals()
    with user_input():
        check_points(points_to_evaluate)
    own = {
        "fixed": fixed or {},
        "goals": goals,
        "at_most": at_most or {},
        "data_dir": None if data_dir is None else Path(data_dir),
    }
    points = (*starting_points(start_from, start_points), *points_to_evaluate)
    asked = options_among(given, points_to_evaluate=points, **own)
    return carry_out(study, asked, output, tuning_listener(progress))


def starting_points(start_from: Place | None, which: str) -> tuple[dict[str, Any], ...]:
    """Returns the configurations of an earlier run. Raises InputError if there are none."""
    if start_from is None:
        with user_input():
            check_name("start_points", which, WHICH)
            if which != "best":
                raise ValueError(f"start_points {which} takes them from an earlier run; give its folder as start_from")
        return ()
    return points_of(str(start_from), which)


def carry_out(
    study: "TuningStudy | LoopStudy | str | Path", asked: Options, output: Place | None, listener: TuningListener
) -> TuningResult:
    """Checks, plans, runs and concludes. Raises as `tune` does."""
    study = str(study) if isinstance(study, Path) else study
    tuning_checks.check_study(study, asked)
    folder = _check_here(study, asked, output)
    at_once = tuning_checks.is_sure(study, asked)
    listener.doing(STARTING if at_once else "reading the study")
    with listener, early_ray(at_once, meanwhile=IMPORTS, in_workers=IN_TUNING):
        from tautune.runners.tuning import check_cluster, conclude, plan_tuning, run
        from tautune.runners.tuning_job import make_tuning

        tuning = make_tuning(study, asked)
        folder = folder or check_new(output_folder(None, tuning.study.name))  # a study in Python
        listener.doing(f"loading the data of {tuning.study.name}")
        plan = plan_tuning(tuning)
        listener.doing(STARTING)
        with ray_session(in_workers=IN_TUNING):
            check_cluster(tuning, folder)
            make_folder(folder)
            with TuningFolder(folder, tuning.configuration()) as held:
                conclude(plan, held, run(plan, held, listener), listener)
                draw(held, listener)
    return TuningResult(folder)


def draw(held: TuningFolder, listener: TuningListener) -> None:
    """Writes report.html into the folder of a tuning, and pareto.png where it has several goals."""
    goal = goal_in(held.run["configuration"])
    if goal.others:
        from tautune.analysis.report import write_pareto

        write_pareto(read_rows(held.path, goal), goal, held.path)
    listener.doing("drawing the report")
    listener.say(report_at_end(held.path))


def _check_here(study: "TuningStudy | LoopStudy | str", asked: Options, output: Place | None) -> Folder | None:
    """Checks the data and the folder as far as they are known, and returns the folder, or None if it is not known."""
    if isinstance(study, str):
        tuning_checks.check_built_in_data(study, asked.data_dir)
    if output is not None:
        return check_new(output_folder(str(output), ""))
    if isinstance(study, str):
        return check_new(output_folder(None, Path(study).stem))
    return None


def tuning_listener(progress: bool | TuningListener) -> TuningListener:
    if isinstance(progress, TuningListener):
        return progress
    if not progress:
        return TuningListener()
    from tautune.commands.screen import a_screen
    from tautune.commands.tuning_display import TuningDisplay

    return TuningDisplay(a_screen())
