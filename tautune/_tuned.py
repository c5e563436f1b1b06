"""What is done with the folder of a tuning: it is continued, extended, refitted, and predicted with."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tautune._tune import draw, tuning_listener
from tautune._tuning_result import Place, TuningResult
from tautune.analysis.reported import report_at_end
from tautune.cluster.session.session import IN_TUNING, ray_session
from tautune.records.errors import InputError, user_input
from tautune.records.storage import folder_at, run_folder
from tautune.records.tuning_folder import TuningFolder
from tautune.runners import tuning_checks
from tautune.runners.continuation import Continuation
from tautune.runners.folding import trials_of
from tautune.runners.listeners import STARTING
from tautune.runners.tuning_journal import events_of, needs_table
from tautune.runners.tuning_listener import TuningListener
from tautune.trainables.goal import goal_in

if TYPE_CHECKING:
    from tautune.runners.prediction import Prediction
    from tautune.runners.tables import Table
    from tautune.runners.tuning import Plan
    from tautune.search_spaces.loop_study import LoopStudy
    from tautune.search_spaces.tuning_study import TuningStudy


def resume(
    path: Place,
    *,
    study: "TuningStudy | LoopStudy | None" = None,
    trust: bool = False,
    progress: bool | TuningListener = False,
) -> TuningResult:
    """Continues, from the trials' checkpoints, a tuning that was stopped or whose machine was lost.

    Args:
        study: the study that was tuned, if it was a Python object without a name or file by which to find it.
        trust: whether the study's file that the folder names may run, though the folder may be somebody else's.

    Raises:
        ValueError, RuntimeError: as in `tune`.
    """
    listener, folder = tuning_listener(progress), run_folder(str(path))
    run_json = tuning_checks.read_findable(folder, has_study=study is not None, trust=trust)
    tuning_checks.check_searched(folder, run_json)
    if not tuning_checks.is_whole(folder, run_json):
        listener.doing(f"reading {folder}")
        with listener, TuningFolder(folder) as held:
            from tautune.runners.tuning import plan_resume

            if plan := plan_resume(held, study):
                _go_on(plan, held, listener)
                return TuningResult(held.path)
    goal = goal_in(run_json["configuration"])
    if needs_table(folder, goal):
        with TuningFolder(folder):
            trials_of(folder, run_json["configuration"]["space"], events_of(folder), goal).write()
        listener.say(f"{folder / 'trials.jsonl'} was missing or damaged; it was written again from the journal")
    listener.say(f"nothing is left to do in {folder}; `tautune extend` tries more configurations")
    return TuningResult(folder.resolve())


def extend(
    path: Place,
    trials: int | None = None,
    *,
    longer: int | None = None,
    study: "TuningStudy | LoopStudy | None" = None,
    trust: bool = False,
    progress: bool | TuningListener = False,
) -> TuningResult:
    """Tries `trials` more configurations, using what the search has learned, or trains the finished trials `longer`.

    Args:
        trials: number of additional configurations.
        longer: number of epochs, or of a loop's reports, that each trial which has finished trains more, from its last
            checkpoint and without a scheduler. One that diverges then keeps what it had.
        study, trust: as in `resume`.

    Raises:
        ValueError, RuntimeError: as in `tune`.
    """
    tuning_checks.check_more(trials, longer)
    listener, folder = tuning_listener(progress), run_folder(str(path))
    tuning_checks.check_searched(folder, tuning_checks.read_findable(folder, has_study=study is not None, trust=trust))
    listener.doing(f"reading {folder}")
    with listener, TuningFolder(folder) as held:  # a run that another process writes has not been stopped
        tuning_checks.check_extensible(folder, held.run, longer=longer is not None)
        from tautune.runners.tuning import plan_extension, plan_longer

        plan = plan_longer(held, longer, study) if longer else plan_extension(held, trials or 0, study)
        _go_on(plan, held, listener)
        return TuningResult(held.path)


def _go_on(plan: "Plan", held: TuningFolder, listener: TuningListener) -> None:
    from tautune.runners.tuning import check_cluster, conclude, run

    listener.doing(STARTING)
    with ray_session(in_workers=IN_TUNING):
        check_cluster(plan.tuning, held.path)
        conclude(plan, held, run(plan, held, listener), listener)
        draw(held, listener)


def refit(
    path: Place,
    *,
    again: bool = False,
    data_dir: str | Path | None = None,
    study: "TuningStudy | LoopStudy | None" = None,
    trust: bool = False,
    progress: bool | TuningListener = False,
) -> dict[str, Any]:
    """Trains the best configuration on all that is not for the test, and evaluates it once on the test examples.

    Args:
        again: whether to refit even if the test examples have been used before.
        data_dir: folder in which data sets are looked for first.
        study, trust: as in `resume`.

    Returns:
        The content of test.json: `test_loss` and the task's metrics, such as `test_accuracy` or `test_rmse`. The model
        is in model.pt, next to it. Of a loop, they are the numbers that the study's own `refit` returns.

    Raises:
        ValueError, RuntimeError: as in `tune`.
    """
    listener, folder = tuning_listener(progress), run_folder(str(path))
    tuning_checks.check_refit(folder, again=again, has_study=study is not None, trust=trust)
    listener.doing(f"reading {folder}")
    with listener, TuningFolder(folder) as held:
        if goal_in(held.run["configuration"]).is_of_a_loop:
            return _refit_loop(held, study, listener)
        from tautune.runners.refit import conclude_refit, plan_refit, run_refit
        from tautune.runners.tuning import check_cluster

        plan = plan_refit(held, data_dir=None if data_dir is None else Path(data_dir), study=study)
        listener.doing(STARTING)
        with ray_session():
            check_cluster(plan.tuning, held.path)
            listener.doing("starting to train")
            state = run_refit(plan, held, listener)
        found = conclude_refit(plan, held, state)
        listener.say(report_at_end(held.path))
    return found


def _refit_loop(
    held: TuningFolder, study: "TuningStudy | LoopStudy | None", listener: TuningListener
) -> dict[str, Any]:
    from tautune.runners.loop_refit import plan_loop_refit, refit_loop
    from tautune.runners.tuning import check_cluster

    tuning = plan_loop_refit(held, study)
    listener.doing(STARTING)
    with ray_session():
        check_cluster(tuning, held.path)
        listener.doing(f"training as {tuning.study.name} does it")
        found = refit_loop(tuning, held)
    listener.say(report_at_end(held.path))
    return found


def predict(
    path: Place,
    files: list[Path] | None = None,
    *,
    text: str | None = None,
    length: int = 200,
    seed: int = 0,
    temperature: float = 1.0,
    study: "TuningStudy | str | Path | None" = None,
) -> "list[Prediction] | Table | str":
    """Returns what the refitted model of a tuning says, with its normalization.

    Args:
        files: of a classification, images, or .npy arrays of the model's input shape, or one CSV with a row for each
            input; of a regression, one CSV, or a .npy array (rows, *shape); of a forecast, the series until now; of a
            language model, a text that it continues.
        text: the text itself.
        length: number of tokens that a language model writes.
        seed: seed of the draws of these tokens.
        temperature: number by which logits are divided before a token is drawn; 0 takes the most probable one.
        study: the study that was tuned, or its file, unless it is a built-in one: no code that the folder names runs.

    Returns:
        A prediction for each image; the `columns` and `rows` of a table; or the text that follows.

    Raises:
        InputError: there is no model or no such file, a file is not what the task takes, or the model's outputs are
            not finite.
    """
    folder = folder_at(str(path))
    tuning_checks.check_prediction(folder, files or [])
    continuation = Continuation(text=text, length=length, seed=seed, temperature=temperature)
    if not files and text is None:
        raise InputError("give a file to predict with, or --text (text=…) for a model of a text to continue")
    if isinstance(study, str | Path):
        from tautune import search_spaces
        from tautune.search_spaces.tuning_study import TuningStudy

        with user_input():
            found = search_spaces.find_tuning(str(study))
        study = found if isinstance(found, TuningStudy) else None
    from tautune.runners.predicting import predict_by_task

    return predict_by_task(folder, files or [], continuation, study)
