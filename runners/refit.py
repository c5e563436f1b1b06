"""The best configuration of a tuning, trained on all training images and evaluated once on the test images."""

import io
from pathlib import Path
from typing import Any

import torch
from ray import tune
from rich.console import Console

from tautune.cluster.session.session import RETRIES, ray_session
from tautune.cluster.session.storage_probe import check_storage
from tautune.records.errors import InputError, Interrupted, RunFailed, trial_failed
from tautune.records.files import write_bytes, write_json
from tautune.records.provenance import provenance
from tautune.records.storage import Folder, ray_storage, restored_tuner
from tautune.records.tuning_folder import TuningFolder, read_best
from tautune.runners.tuning import CHECKPOINTS, has_state, make_trainable
from tautune.runners.tuning_job import Tuning, check_feasible, load_data, tuning_of
from tautune.trainables.classifier.classifier_training import ClassifierTraining
from tautune.trainables.classifier.datasets import ImageData
from tautune.trainables.classifier.normalization import are_tokens
from tautune.trainables.classifier.training import evaluate

Json = dict[str, Any]


def refit(folder: Folder, *, data_dir: Path | None, again: bool, console: Console) -> Json:
    """Trains for as many epochs as the best configuration had when it was best; writes model.pt and test.json.

    After population-based training the hyperparameters change at the epochs at which they changed in that trial's
    line. A refit that was stopped goes on from its checkpoint.

    Raises:
        InputError: the folder holds no tuning, its study is another one now, or it was refitted before.
        RunFailed: the training diverged or raised.
        Interrupted: by Ctrl-C or SIGTERM.
    """
    with TuningFolder(folder) as held:
        if (folder / "test.json").exists() and not again:
            raise InputError(f"{folder} has a test.json: its test images were used; --again if you mean to do so twice")
        best = read_best(folder)
        best["config"].pop("patience", None)  # there are no validation images to be patient about
        tuning = tuning_of(held.run, folder)
        data = load_data(tuning.study, data_dir or tuning.data_dir)
        with ray_session():
            check_feasible(tuning)
            check_storage(held.path)
            place = held.path / f"refit-{best['trial']}-{best['epochs']}"
            state = _train(tuning, best, data, place, console)
        return _evaluate(tuning, best, data, state, folder, held.run["configuration"])


def _evaluate(tuning: Tuning, best: Json, data: ImageData, state: Json, folder: Folder, configuration: Json) -> Json:
    """The one use of the test images; keeps the model and what came of it."""
    training = _on_all(tuning, best, data)
    training.load_state_dict(state)
    loss, accuracy = evaluate(training.model, data.test, training.normalize)
    test = {
        "test_accuracy": accuracy,
        "test_loss": loss,
        "test_images": len(data.test),
        "training_images": len(data.train),
        "epochs": training.epochs,
        "config": best["config"],
        "history": training.history,
        **provenance(),
    }
    model = {
        "configuration": {k: configuration[k] for k in ("study", "data", "model")},
        "config": best["config"],
        "shape": list(data.train.shape),
        "classes": data.classes,
        "class_names": list(data.class_names),
        "tokens": are_tokens(data.train.pixels),
        "training": {k: state[k] for k in ("model", "epochs", "mean", "deviation")},
    }
    buffer = io.BytesIO()
    torch.save(model, buffer)
    write_bytes(folder / "model.pt", buffer.getvalue())
    write_json(folder / "test.json", test)
    return test


def _on_all(tuning: Tuning, best: Json, data: ImageData) -> ClassifierTraining:
    everything, nothing = torch.arange(len(data.train)), torch.arange(0)
    return ClassifierTraining(
        tuning.study.model,
        best["config"],
        data.train,
        (everything, nothing),
        classes=data.classes,
        horizon=tuning.max_epochs,
        seed=tuning.seed,
        normalize=tuning.study.normalize,
    )


def _train(tuning: Tuning, best: Json, data: ImageData, state: Folder, console: Console) -> Json:
    """One trial of the tuner's own trainable, without validation images. Returns the training's state."""
    everything = [(torch.arange(len(data.train)), torch.arange(0))]
    trainable = make_trainable(tuning, data, everything, replay=best["history"])
    if has_state(state):
        tuner = restored_tuner(state, trainable)
    else:
        tuner = tune.Tuner(
            trainable,
            param_space=best["config"],
            tune_config=tune.TuneConfig(trial_dirname_creator=lambda trial: "refit"),
            run_config=tune.RunConfig(
                name=state.name,
                **ray_storage(state.parent),
                stop={"epochs": best["epochs"]},
                callbacks=[_Lines(best["epochs"], console)],
                checkpoint_config=tune.CheckpointConfig(num_to_keep=CHECKPOINTS, checkpoint_at_end=True),
                failure_config=tune.FailureConfig(max_failures=RETRIES),
                verbose=0,
            ),
        )
    (result,) = tuner.fit()
    if result.error:
        raise trial_failed("the refit", result.error, result.path)
    metrics = result.metrics or {}
    if metrics.get("failure"):
        raise RunFailed(f"{metrics['failure'].rstrip()}\ntautune: the refit failed; above is its traceback")
    if metrics.get("diverged"):
        raise RunFailed(f"the best configuration diverged on all training images, in epoch {metrics['epochs']}")
    if metrics.get("epochs") != best["epochs"] or result.checkpoint is None:
        raise Interrupted("stopped; the same command goes on with the refit")
    with result.checkpoint.as_directory() as checkpoint:
        kept = torch.load(Path(checkpoint) / "trial.pt", weights_only=True, map_location="cpu")
    state_dict: Json = kept["trainings"][0]
    return state_dict


class _Lines(tune.Callback):
    """A line an epoch."""

    def __init__(self, epochs: int, console: Console | None = None) -> None:
        self.epochs, self.console = epochs, console or Console()

    def __reduce__(self) -> Any:
        return _Lines, (self.epochs,)

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Json, **info: Any) -> None:
        self.console.print(
            f"epoch {result['epochs']} of {self.epochs}: training loss {result['training_loss']:.4f}", highlight=False
        )
