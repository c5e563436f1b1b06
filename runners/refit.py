"""The best configuration of a tuning, trained on all training examples and evaluated once on the test examples."""

import math
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ray import tune

from tautune.cluster.session.fit import fit
from tautune.cluster.session.session import RETRIES
from tautune.records.errors import AGAIN, Interrupted, RunFailed, trial_failed
from tautune.records.files import write_bytes, write_json
from tautune.records.provenance import provenance
from tautune.records.storage import Folder, ray_storage
from tautune.records.tuning_folder import TuningFolder, read_best
from tautune.runners.checkpoints import checkpoints_of
from tautune.runners.delays_log import DelaysLog
from tautune.runners.folder_watch import FolderWatch
from tautune.runners.giving_up import GivingUp
from tautune.runners.longer import epochs_of
from tautune.runners.model_file import write_model
from tautune.runners.ray_tuner import CHECKPOINTS, make_trainable
from tautune.runners.tested import FILE, predictions_of_test
from tautune.runners.trials import name_of
from tautune.runners.tuning_data import load_data
from tautune.runners.tuning_job import Tuning, tuning_of
from tautune.runners.tuning_listener import TuningListener
from tautune.search_spaces.loop_study import LoopStudy
from tautune.search_spaces.task_data import AnyData, outputs_for, told_by
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.continuing import CONTINUES
from tautune.trainables.supervised.hyperparameters import WINDOW
from tautune.trainables.supervised.sources import Source, source_of, source_of_test
from tautune.trainables.supervised.streams import Streams
from tautune.trainables.supervised.supervised_training import SupervisedTraining
from tautune.trainables.supervised.training import evaluate
from tautune.trainables.supervised.trial_files import STATE, read_state

Json = dict[str, Any]
TRIAL = "refit"
"""Name of the one trial's folder."""


@dataclass(frozen=True)
class RefitPlan:
    """What is to be trained once more."""

    tuning: Tuning
    study: TuningStudy
    best: Json
    """The row of the best trial, as best.json has it."""
    data: AnyData


def plan_refit(
    folder: TuningFolder, *, data_dir: Path | None = None, study: TuningStudy | LoopStudy | None = None
) -> RefitPlan:
    """Returns the best configuration with its data.

    Args:
        study: the one that was tuned, where it has no name or file by which it can be found.

    Raises:
        InputError: there is no best configuration, or the study is another one now.
    """
    best = read_best(folder.path)
    best["config"].pop("patience", None)  # there are no validation examples to be patient about
    tuning = tuning_of(folder.run, folder.path, study)
    assert isinstance(tuning.study, TuningStudy)
    return RefitPlan(tuning, tuning.study, best, load_data(tuning.study, data_dir or tuning.data_dir))


def run_refit(plan: RefitPlan, folder: TuningFolder, listener: TuningListener) -> Json:
    """Trains, in a Ray session, for as many epochs as the best configuration had when it was best.

    After population-based training the hyperparameters change at the epochs at which they changed in that trial's
    line. A refit that was stopped goes on from its checkpoint.

    Returns:
        The state of the training.

    Raises:
        RunFailed: the training diverged or raised.
        Interrupted: by Ctrl-C or SIGTERM.
    """
    best = plan.best
    everything = [(torch.arange(len(plan.data.train)), torch.arange(0))]
    trainable = make_trainable(plan.tuning, plan.data, everything, replay=best["history"])
    state = folder.path / f"refit-{name_of(best)}-{best['epochs']}"
    found = max(checkpoints_of(state / TRIAL), key=lambda checkpoint: checkpoint.epochs, default=None)
    if found and found.epochs >= best["epochs"]:
        return _training((found.path / STATE).read_bytes())
    longer = max(0, best["epochs"] - epochs_of(plan.tuning, best["config"]))  # as `extend --longer` made it
    known = {"checkpoint": str(found.path), "epochs": found.epochs} if found else {"checkpoint": None, "epochs": 0}
    start = {CONTINUES: known | {"longer": longer}}
    token = _LISTENER.set(listener)
    try:
        results = fit(_make_tuner(best, best["config"] | start, trainable, state))
    finally:
        _LISTENER.reset(token)
    if not len(results):  # Ctrl-C before there was a trial
        raise _stopped()
    result = results[0]
    if result.error:
        raise trial_failed("the refit", result.error, result.path)
    metrics = result.metrics or {}
    if metrics.get("failure"):
        raise RunFailed(f"{metrics['failure'].rstrip()}\ntautune: the refit failed; above is its traceback")
    if metrics.get("diverged"):
        raise RunFailed(f"the best configuration diverged on all training examples, in epoch {metrics['epochs']}")
    if metrics.get("epochs") != best["epochs"] or result.checkpoint is None:
        raise _stopped()
    with result.checkpoint.as_directory() as checkpoint:
        return _training((Path(checkpoint) / STATE).read_bytes())


def _stopped() -> Interrupted:
    return Interrupted("stopped; the refit so far is kept", AGAIN)


def _training(content: bytes) -> Json:
    trained: Json = read_state(content, "cpu")["trainings"][0]
    return trained


def _make_tuner(best: Json, config: Json, trainable: Any, state: Folder) -> tune.Tuner:
    """Returns the tuner of one trial, without validation examples."""
    return tune.Tuner(
        trainable,
        param_space=config,
        tune_config=tune.TuneConfig(trial_dirname_creator=lambda trial: TRIAL),
        run_config=tune.RunConfig(
            name=state.name,
            **ray_storage(state.parent),
            stop={"epochs": best["epochs"]},
            callbacks=[
                FolderWatch(state.parent),
                GivingUp(lambda trial: "the refit"),
                _Lines(best["epochs"]),
                DelaysLog(state),
            ],
            checkpoint_config=tune.CheckpointConfig(num_to_keep=CHECKPOINTS, checkpoint_at_end=True),
            failure_config=tune.FailureConfig(max_failures=RETRIES),
            verbose=0,
        ),
    )


def conclude_refit(plan: RefitPlan, folder: TuningFolder, state: Json) -> Json:
    """Uses the test examples, this once, and writes model.pt and test.json. Returns the latter."""
    training = training_on_all(plan)
    training.load_state_dict(state)
    of_task, tested = plan.study.of_task, source_of_test(plan.data, window=plan.best["config"].get(WINDOW))
    found = evaluate(training.model, tested.validation(), training.normalize, of_task, training.scale)
    kind = "examples" if of_task.described() else "images"
    numbers = {"test": plan.data.held_out, "training": plan.data.train}
    known = {name: len(examples) for name, examples in numbers.items() if not isinstance(examples, Streams)}
    test = {
        **{f"test_{name}": value for name, value in found.metrics.items() if math.isfinite(value)},
        "test_loss": found.loss,
        **{f"{name}_{kind}": number for name, number in known.items()},
        "epochs": training.epochs,
        "config": plan.best["config"],
        "history": training.history,
        **provenance(),
    }
    write_model(folder.path / "model.pt", _model(plan, folder, state))
    write_json(folder.path / "test.json", test)
    if of_task.standardize:
        table = predictions_of_test(training, tested.validation())
        write_bytes(folder.path / FILE, table.as_csv().encode())
    return test


def _model(plan: RefitPlan, folder: TuningFolder, state: Json) -> Json:
    """Returns what model.pt holds."""
    configuration, data, task = folder.run["configuration"], plan.data, plan.study.of_task
    kept = ("model", "epochs", "mean", "deviation", *(("target_mean", "target_deviation") if task.standardize else ()))
    more: Json = {} if data.vocabulary is None else {"vocabulary": data.vocabulary}
    if task.described():
        more["task"] = {"name": task.name, **told_by(data, task)}
    return {
        "configuration": {k: configuration[k] for k in ("study", "data", "model")},
        "config": plan.best["config"],
        "shape": list(source_of_all(data, plan.best["config"]).shape),
        "classes": outputs_for(task, data),
        "class_names": list(getattr(data, "class_names", ())),
        "tokens": data.vocabulary is not None,
        "training": {k: state[k] for k in kept},
        **more,
    }


def source_of_all(data: AnyData, config: Json) -> Source:
    """Returns all that is not for the test, to train on."""
    everything = torch.arange(len(data.train)), torch.arange(0)
    return source_of(data.train, everything, window=config.get(WINDOW))


def training_on_all(plan: RefitPlan, device: str = "cpu") -> SupervisedTraining:
    """Returns the training of the best configuration on all that is not for the test, before its first epoch."""
    return SupervisedTraining(
        plan.study.model,
        plan.best["config"],
        source_of_all(plan.data, plan.best["config"]),
        outputs=outputs_for(plan.study.of_task, plan.data),
        horizon=plan.tuning.max_epochs,
        seed=plan.tuning.seed,
        task=plan.study.of_task,
        device=device,
        normalize=plan.study.normalize,
        vocabulary=plan.data.vocabulary,
    )


class _Lines(tune.Callback):
    """Tells the listener of each epoch."""

    def __init__(self, epochs: int, listener: TuningListener | None = None) -> None:
        """Args: listener: this thread's, if not given: Tune pickles its callbacks, and restores them here."""
        self.epochs, self.listener = epochs, listener or _LISTENER.get()

    def __reduce__(self) -> Any:
        return _Lines, (self.epochs,)

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Json, **info: Any) -> None:
        if self.listener:
            self.listener.epoch_ended(result["epochs"], self.epochs, result["training_loss"])


_LISTENER: ContextVar[TuningListener | None] = ContextVar("_LISTENER", default=None)
