"""Tuning a classifier as a Ray Tune job: many configurations, the best kept with what it was compared on."""

import csv
import io
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune
from ray.tune.logger import TBXLoggerCallback
from rich.console import Console
from rich.live import Live
from rich.table import Table

from cluster import searching
from cluster.errors import InputError, Interrupted, RunFailed, trial_failed
from cluster.provenance import now, provenance
from cluster.ray_session import ray_session
from cluster.sweep_folder import read_json, write_bytes, write_json
from search_spaces.study import TuningStudy
from trainables.classifier import Classifier, ClassifierTrial
from trainables.datasets import DataError, ImageData, Normalization, load, stratified_split

Json = dict[str, Any]
COLUMNS = (
    "validation_accuracy",
    "validation_loss",
    "training_accuracy",
    "training_loss",
    "epochs",
    "diverged",
    "time_total_s",
)


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What to search and how; see `tautune tune --help`."""

    study: TuningStudy
    search: str
    scheduler: str
    trials: int
    max_epochs: int
    concurrent: int | None = None
    time_budget: float | None = None
    """Seconds."""
    cpus_per_trial: float = 1
    gpus_per_trial: float = 0
    seed: int = 0
    data_dir: Path | None = None

    @property
    def device(self) -> str:
        return "cuda" if self.gpus_per_trial else "cpu"

    def configuration(self) -> Json:
        return {
            "kind": "tuning",
            "study": self.study.name,
            "data": self.study.data,
            "model": self.study.model,
            "space": {name: _domain_text(domain) for name, domain in self.study.space.items()},
            "search": self.search,
            "scheduler": self.scheduler,
            "trials": self.trials,
            "max_epochs": self.max_epochs,
            "validation_share": self.study.validation_share,
            "seed": self.seed,
        }


def run_tuning(tuning: Tuning, output: Path, *, console: Console, started: float) -> Json:
    """Runs the trials, writes trials.csv, best.json and run.json into `output`, prints and returns the best.

    Raises:
        InputError: the folder holds something, the data are not to be had, or no node has what a trial asks for.
        RunFailed: a trial raised, or every trial diverged.
        Interrupted: by Ctrl-C or SIGTERM; what was found until then is written.
    """
    output = output.resolve()
    _check_free(output)
    data = _load(tuning.study.data, tuning.data_dir)
    run = {"configuration": tuning.configuration(), "started": now(), **provenance()}
    keeper = _Keeper(tuning, output, console)
    with ray_session():
        _check_feasible(tuning)
        _make(output)
        write_json(output / "run.json", run)
        with keeper:
            results = _tuner(tuning, data, output, keeper).fit()
    seconds = round(time.monotonic() - started, 1)
    write_json(output / "run.json", run | {"finished": now(), "duration_seconds": seconds})
    for result in results:
        if result.error:
            raise trial_failed(f"trial {Path(result.path).name}", result.error, result.path)
    if keeper.finished < keeper.total and not keeper.budget_spent:
        raise Interrupted(f"stopped; what was found is in {output}")
    best = keeper.best()
    if best is None and not keeper.rows:
        raise RunFailed(f"no trial finished an epoch within --time-budget {tuning.time_budget:g}; give more")
    if best is None:
        raise RunFailed(f"every trial diverged; see {output / 'trials.csv'}; lower the learning rates of the space")
    console.print(results_table(keeper.ranked(), top=5))
    console.print(
        f"{output}: trials.csv, best.json; {seconds} s, Ray's start included", soft_wrap=True, highlight=False
    )
    return best


def _load(name: str, data_dir: Path | None) -> ImageData:
    try:
        return load(name, data_dir)
    except DataError as error:
        raise InputError(str(error)) from None


def _check_free(output: Path) -> None:
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"--output: {output} exists and is not an empty folder; give a new one")


def _make(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--output: {output} cannot be written: {error.strerror}") from None


def _check_feasible(tuning: Tuning) -> None:
    """A trial that no node can hold would stay pending for ever."""
    wanted = {"CPU": tuning.cpus_per_trial, "GPU": tuning.gpus_per_trial}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(all(node.get(kind, 0) >= amount for kind, amount in wanted.items()) for node in nodes):
        largest = {kind: max(node.get(kind, 0) for node in nodes) for kind in wanted}
        raise InputError(
            f"a trial asks for {wanted['CPU']:g} CPU and {wanted['GPU']:g} GPU; the largest node has "
            f"{largest['CPU']:g} CPU and {largest['GPU']:g} GPU: lower --cpus-per-trial or --gpus-per-trial"
        )


def _tuner(tuning: Tuning, data: ImageData, output: Path, keeper: "_Keeper") -> tune.Tuner:
    study = tuning.study
    search, space = searching.make_search(tuning.search, study.space, tuning.seed)
    split = stratified_split(data.train.targets, study.validation_share, tuning.seed)
    trainable = tune.with_parameters(
        ClassifierTrial,
        data=(data.train.pixels.numpy(), data.train.targets.numpy()),
        split=tuple(indices.numpy() for indices in split),
        model=study.model,
        max_epochs=tuning.max_epochs,
        device=tuning.device,
        seed=tuning.seed,
        threads=max(1, int(tuning.cpus_per_trial)),
    )
    checkpoints = {"checkpoint_frequency": max(1, tuning.max_epochs // 10)} if tuning.scheduler == "pbt" else {}
    return tune.Tuner(
        tune.with_resources(trainable, {"CPU": tuning.cpus_per_trial, "GPU": tuning.gpus_per_trial}),
        param_space=space,
        tune_config=tune.TuneConfig(
            search_alg=search,
            scheduler=searching.make_scheduler(tuning.scheduler, study.space, tuning.max_epochs),
            num_samples=1 if tuning.search == "grid" else tuning.trials,
            max_concurrent_trials=tuning.concurrent,
            time_budget_s=tuning.time_budget,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name="trials",
            storage_path=str(output),
            callbacks=[TBXLoggerCallback(), keeper],
            checkpoint_config=tune.CheckpointConfig(num_to_keep=4, **checkpoints),
            failure_config=tune.FailureConfig(max_failures=2),
            verbose=0,
        ),
    )


class _Keeper(tune.Callback):
    """Writes trials.csv and best.json as trials report, and shows the search while it runs."""

    def __init__(self, tuning: Tuning, output: Path, console: Console) -> None:
        self.tuning, self.output, self.console = tuning, output, console
        self.rows: dict[str, Json] = {}
        self.finished = 0
        self.live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self.begun = time.monotonic()

    def __getstate__(self) -> Json:
        return {}  # Tune pickles its callbacks into a file; this one is not needed from there

    def __enter__(self) -> "_Keeper":
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.update("")
            self.live.stop()
        self._write()

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Json, **info: Any) -> None:
        row = self.rows.get(trial.trial_id)
        if row is None or result["validation_accuracy"] >= row["validation_accuracy"] or result["diverged"]:
            config = {name: result["config"][name] for name in self.tuning.study.space}
            row = {"trial": trial.trial_id, "config": config} | {name: result[name] for name in COLUMNS}
        self.rows[trial.trial_id] = row
        if self.live:
            self.live.update(self._table(trials))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.finished += 1
        self._write()
        best = self.best()
        if not self.live and best:
            row = self.rows[trial.trial_id]
            self.console.print(
                f"{self.finished} of {self.total}: validation accuracy {row['validation_accuracy']:.4f} after "
                f"{row['epochs']} epochs; best so far {best['validation_accuracy']:.4f}",
                highlight=False,
            )

    @property
    def budget_spent(self) -> bool:
        budget = self.tuning.time_budget
        return budget is not None and time.monotonic() - self.begun >= budget

    @property
    def total(self) -> int:
        space = self.tuning.study.space
        if self.tuning.search != "grid":
            return self.tuning.trials
        total = 1
        for domain in space.values():
            total *= len(getattr(domain, "categories", (0,)))
        return total

    def ranked(self) -> list[Json]:
        """Best first; a diverged trial last."""
        return sorted(self.rows.values(), key=lambda row: (-row["validation_accuracy"], row["validation_loss"]))

    def best(self) -> Json | None:
        return next((row for row in self.ranked() if not row["diverged"]), None)

    def _write(self) -> None:
        rows = self.ranked()
        write_bytes(self.output / "trials.csv", trials_csv(rows).encode())
        lines = (json.dumps(row, allow_nan=False) + "\n" for row in rows)
        write_bytes(self.output / "trials.jsonl", "".join(lines).encode())
        if best := self.best():
            write_json(self.output / "best.json", best)

    def _table(self, trials: list[Any]) -> Table:
        running = [t.trial_id for t in trials if t.status == "RUNNING"]
        table = results_table(self.ranked(), top=5)
        left = ""
        if self.tuning.time_budget:
            left = f", {max(0.0, self.tuning.time_budget - time.monotonic() + self.begun):.0f} s left"
        table.caption = f"{len(running)} running, {self.finished} of {self.total} trials finished{left}"
        return table


def trials_csv(rows: list[Json]) -> str:
    text = io.StringIO()
    names = list(rows[0]["config"]) if rows else []
    writer = csv.writer(text)
    writer.writerow(["trial", *COLUMNS, *names])
    for row in rows:
        writer.writerow([row["trial"], *(row[c] for c in COLUMNS), *(row["config"][n] for n in names)])
    return text.getvalue()


def results_table(rows: list[Json], *, top: int) -> Table:
    """The best configurations, one a row."""
    table = Table("validation accuracy", "loss", "epochs", "configuration", title="best configurations")
    for row in rows[:top]:
        values = {k: f"{v:.3g}" if isinstance(v, float) else v for k, v in row["config"].items()}
        text = ", ".join(f"{name} {value}" for name, value in values.items())
        table.add_row(f"{row['validation_accuracy']:.4f}", f"{row['validation_loss']:.4f}", str(row["epochs"]), text)
    return table


def refit(folder: Path, *, data_dir: Path | None, console: Console) -> Json:
    """Trains the best configuration on all training images and evaluates it once on the test images.

    It trains for as many epochs as the best configuration had when it was best; after population-based training with
    that trial's last configuration throughout. Writes model.pt and test.json.
    """
    run, best = read_tuning(folder)
    configuration = run["configuration"]
    data = _load(configuration["data"], data_dir)
    normalize = Normalization.of(data.train)
    classifier = Classifier(
        configuration["model"], best["config"], data.train, normalize, classes=data.classes, device="cpu"
    )
    for _ in range(best["epochs"]):
        epoch = classifier.train_epoch()
        console.print(f"epoch {classifier.epochs} of {best['epochs']}: training loss {epoch.loss:.4f}", highlight=False)
        if epoch.diverged:
            raise RunFailed(f"the best configuration diverged on all training images, in epoch {classifier.epochs}")
    loss, accuracy = classifier.evaluate(data.test)
    test = {
        "test_accuracy": accuracy,
        "test_loss": loss,
        "test_images": len(data.test),
        "training_images": len(data.train),
        "epochs": classifier.epochs,
        "config": best["config"],
        **provenance(),
    }
    model = {
        "configuration": {k: configuration[k] for k in ("study", "data", "model")},
        "config": best["config"],
        "shape": list(data.train.shape),
        "classes": data.classes,
        "classifier": classifier.state_dict(),
    }
    buffer = io.BytesIO()
    torch.save(model, buffer)
    write_bytes(folder / "model.pt", buffer.getvalue())
    write_json(folder / "test.json", test)
    return test


def read_trials(folder: Path) -> list[Json]:
    """The rows of trials.jsonl, best first. Raises InputError if the folder holds no tuning."""
    read_tuning(folder)
    return [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]


def read_tuning(folder: Path) -> tuple[Json, Json]:
    """(run.json, best.json). Raises InputError if the folder holds no tuning."""
    if not (folder / "run.json").is_file():
        raise InputError(f"{folder} holds no run.json; give a folder that `tautune tune --output` wrote")
    run = read_json(folder / "run.json")
    if run.get("configuration", {}).get("kind") != "tuning":
        raise InputError(f"{folder} holds no tuning; give a folder that `tautune tune --output` wrote")
    if not (folder / "best.json").is_file():
        raise InputError(f"{folder} has no best.json: no trial of it reported without diverging")
    return run, read_json(folder / "best.json")


def _domain_text(domain: Any) -> Any:
    """A Ray Tune domain as text for run.json; a fixed value as it is."""
    if isinstance(domain, tune.search.sample.Domain):
        bounds = {k: v for k, v in vars(domain).items() if k in ("lower", "upper", "categories")}
        return f"{type(domain).__name__.lower()} {domain.get_sampler()} {bounds}"
    return domain
