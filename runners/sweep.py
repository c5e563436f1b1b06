"""The delay sweep as a Ray Tune job: find the minimum, then measure every delay, a trial each."""

import io
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune
from ray.tune.logger import TBXLoggerCallback
from rich.console import Console

from tautune.analysis.threshold_figure import thresholds_figure
from tautune.analysis.thresholds import Thresholds, conclude
from tautune.cluster.session.session import RETRIES, ray_session
from tautune.cluster.session.storage_probe import check_storage
from tautune.commands.sweep_progress import SweepProgress, results_table, show_hosts
from tautune.records.errors import Interrupted, RunFailed, trial_failed
from tautune.records.files import write_bytes, write_json
from tautune.records.minimum_cache import MinimumCache
from tautune.records.provenance import now, provenance
from tautune.records.storage import Folder, ray_storage, written_locally
from tautune.records.sweep_folder import SweepFolder
from tautune.search_spaces.stability_study import StabilityStudy
from tautune.trainables.theory import stability
from tautune.trainables.theory.momentum import Momentum
from tautune.trainables.theory.problem import Problem, ProblemParts
from tautune.trainables.threshold.minimum import Minimum, content_hash
from tautune.trainables.threshold.record import MeasurementRecord, Settings
from tautune.trainables.threshold.trial import DelayTrial, MinimumTrial

Json = dict[str, Any]
Key = tuple[int, int]
"""(delay, seed)"""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What to measure; see `tautune sweep --help`."""

    study: StabilityStudy
    delays: tuple[int, ...]
    momentum: float = 0.0
    shifted: bool = False
    resolution: float = 0.005
    mini_batch: int | None = None
    seeds: int = 1
    device: str = "cpu"
    first_guess: float | None = 1.0
    """Where each search begins, as a multiple of theory's threshold; None: at 0.01, whatever theory says."""
    departures: bool = True
    tolerance: float = 1e-6
    """On the gradient norm at the minimum, relative to its start."""
    budget: int = 20_000
    """Gradient evaluations in which the minimum has to be reached."""

    def configuration(self, content: str) -> Json:
        """What two runs must share to share a folder. Delays and seeds may be added to it."""
        return {
            "study": self.study.name,
            "content": content,
            "seed": self.study.seed,
            "momentum": self.momentum,
            "shifted": self.shifted,
            "resolution": self.resolution,
            "mini_batch": self.mini_batch,
            "device": self.device,
            "first_guess": self.first_guess,
            "tolerance": self.tolerance,
        }

    def settings(self, sharpness: float) -> list[Settings]:
        """One a trial, the longest delays first, so that the last trial to end is a short one."""
        return [
            Settings(
                delay=delay,
                momentum=Momentum(self.momentum, self.shifted),
                mini_batch=self.mini_batch,
                seed=seed,
                resolution=self.resolution,
                first_guess=self._guess(sharpness, delay),
                departures=self.departures,
            )
            for delay in sorted(set(self.delays), reverse=True)
            for seed in range(self.seeds)
        ]

    def _guess(self, sharpness: float, delay: int) -> float:
        if self.first_guess is None:
            return 0.01
        theory = stability.max_stable_learning_rate(sharpness, delay, self.momentum, shifted=self.shifted)
        return self.first_guess * theory

    @property
    def resources(self) -> dict[str, float]:
        """A trial's. Four trials share a GPU."""
        return {"CPU": 1, "GPU": 0.25} if self.device == "cuda" else {"CPU": 1}


def run_sweep(sweep: Sweep, output: Folder, *, console: Console, started: float) -> Thresholds:
    """Runs what is missing in `output`, writes the conclusions there and prints them.

    Args:
        started: `time.monotonic()` of the command's start, for the duration.

    Raises:
        InputError: `output` cannot be used.
        RunFailed: no minimum, or no threshold, was found.
        Interrupted: by Ctrl-C or SIGTERM.
    """
    problem = sweep.study.problem()
    content = content_hash(problem, tolerance=sweep.tolerance)
    cache = MinimumCache(content)
    with SweepFolder(output, sweep.configuration(content)) as folder:
        minimum = cache.minimum()
        if minimum and not minimum.holds(problem):
            minimum = None
        with SweepProgress(console) as progress:
            if minimum and not _missing(sweep, minimum, folder):
                progress.say(f"everything asked for is in {folder.path} already")
                results = _Results(sweep, minimum, folder, len(problem))
            else:
                results = _run(sweep, problem, minimum, cache, folder, progress, started)
        thresholds = results.write()
        if thresholds.points:
            console.print(results_table(thresholds))
            show_hosts((record.host for record in results.records.values()), console)
        failed = [key for key, record in results.records.items() if record.done and not record.threshold]
        if failed:
            raise RunFailed(f"no threshold at delay {failed[0][0]}: training did not both stay and leave; see {output}")
        if _missing(sweep, results.minimum, folder):
            raise _interrupted(folder)
    seconds = time.monotonic() - started
    wrote = f"{folder.path}: thresholds.json, thresholds.png"
    console.print(f"{wrote}; {seconds:.1f} s, Ray's start included", soft_wrap=True, highlight=False)
    return thresholds


def _run(
    sweep: Sweep,
    problem: Problem,
    minimum: Minimum | None,
    cache: MinimumCache,
    folder: SweepFolder,
    progress: SweepProgress,
    started: float,
) -> "_Results":
    """Everything that takes Ray: the minimum if it is not known, and the delays that are missing."""
    parts = ProblemParts.of(problem)
    runs = folder.run.get("runs", [])
    this_run = {"started": now(), "delays": list(sweep.delays), "mini_batch_seeds": sweep.seeds, **provenance()}
    try:
        with ray_session():
            check_storage(folder.path)
            folder.keep_run(
                delays=sorted({*folder.run.get("delays", []), *sweep.delays}),
                seeds=max(sweep.seeds, folder.run.get("seeds", 0)),
                runs=[*runs, this_run],
            )
            progress.say(
                f"minimum of {sweep.study.name} known from before"
                if minimum
                else f"training {sweep.study.name} to its minimum"
            )
            shared = {"problem": parts, "device": sweep.device}
            minimum = minimum or _train_to_minimum(sweep, shared, folder, cache)
            results = _measure(sweep, shared, minimum, folder, progress)
    except KeyboardInterrupt:
        raise _interrupted(folder) from None
    this_run |= {"finished": now(), "duration_seconds": round(time.monotonic() - started, 1)}
    folder.keep_run(runs=[*runs, this_run], minimum=_describe(minimum))
    return results


def _describe(minimum: Minimum) -> Json:
    names = ("sharpness", "loss", "gradient_norm", "gradient_evaluations")
    return {name: getattr(minimum, name) for name in names}


class _Results(tune.Callback):
    """Keeps every measurement on disk as it comes, and shows it."""

    def __init__(
        self, sweep: Sweep, minimum: Minimum, folder: SweepFolder, examples: int, progress: SweepProgress | None = None
    ) -> None:
        self.sweep, self.minimum, self.folder, self.progress = sweep, minimum, folder, progress
        self.examples = examples
        keys = ((d, s) for d in folder.run.get("delays", []) for s in range(folder.run.get("seeds", 1)))
        found = ((key, folder.record(*key)) for key in keys)
        self.records = {key: MeasurementRecord.from_json(record) for key, record in found if record}

    def __getstate__(self) -> Json:
        return {}  # Tune pickles its callbacks into a file; this one is not needed from there

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Json, **info: Any) -> None:
        record = replace(result["record"], host=result["hostname"])
        self.folder.keep(record.as_json())
        self.records[record.key] = record
        if self.progress:
            self.progress.show(self.thresholds(), self.folder.run["delays"], self.records)

    def thresholds(self) -> Thresholds:
        batch = self.sweep.mini_batch
        return conclude(
            study=self.sweep.study.name,
            sharpness=self.minimum.sharpness,
            momentum=self.sweep.momentum,
            shifted=self.sweep.shifted,
            mini_batch=batch,
            steps_per_epoch=self.examples // batch if batch else 1,
            records=list(self.records.values()),
        )

    def write(self) -> Thresholds:
        """thresholds.json, thresholds.png and, for TensorBoard, both again."""
        thresholds = self.thresholds()
        write_json(self.folder.path / "thresholds.json", thresholds.as_json())
        figure = thresholds_figure(thresholds)
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=130)
        write_bytes(self.folder.path / "thresholds.png", picture.getvalue())
        _write_summary(self.folder.path / "summary", thresholds, figure)
        return thresholds


def _train_to_minimum(sweep: Sweep, shared: Json, folder: SweepFolder, cache: MinimumCache) -> Minimum:
    trainable = tune.with_parameters(MinimumTrial, **shared, begun=cache.begun())
    results = tune.Tuner(
        tune.with_resources(trainable, sweep.resources),
        param_space={"tolerance": sweep.tolerance, "budget": sweep.budget},
        tune_config=tune.TuneConfig(trial_dirname_creator=lambda trial: "minimum"),
        run_config=_run_config(folder, [_KeepDescent(cache)], keep=2),
    ).fit()
    result = results[0]
    if result.error:
        raise trial_failed("the trial of minimum", result.error, result.path)
    metrics = result.metrics or {}
    if metrics.get("failure"):
        raise RunFailed(metrics["failure"])
    if not metrics.get("done") or result.checkpoint is None:
        raise KeyboardInterrupt
    minimum = Minimum(**_read_checkpoint(result.checkpoint)["minimum"])
    cache.keep(minimum)
    return minimum


class _KeepDescent(tune.Callback):
    """Keeps how far the descent has come, for the next run if this one is stopped."""

    def __init__(self, cache: MinimumCache) -> None:
        self.cache = cache

    def on_checkpoint(
        self, iteration: int, trials: list[Any], trial: Any, checkpoint: tune.Checkpoint, **info: Any
    ) -> None:
        self.cache.keep_begun(_read_checkpoint(checkpoint)["descent"])


def _measure(sweep: Sweep, shared: Json, minimum: Minimum, folder: SweepFolder, progress: SweepProgress) -> _Results:
    kept = _Results(sweep, minimum, folder, len(shared["problem"].inputs), progress)
    trainable = tune.with_parameters(DelayTrial, **shared, minimum=minimum.state_dict(), begun=dict(kept.records))
    settings = [settings.as_json() for settings in _missing(sweep, minimum, folder)]
    slots = ray.cluster_resources().get("CPU", 1) / sweep.resources["CPU"]
    results = tune.Tuner(
        tune.with_resources(trainable, sweep.resources),
        param_space={"settings": tune.grid_search(settings)},
        # Where there is room for all, the first actors to be up do not take the work of other hosts'.
        tune_config=tune.TuneConfig(reuse_actors=len(settings) > slots, trial_dirname_creator=_dirname),
        run_config=_run_config(folder, [kept], keep=1),
    ).fit()
    for result in results:
        if result.error:
            delay = result.config["settings"]["delay"]
            raise trial_failed(f"the trial of delay {delay}", result.error, result.path)
    return kept


def _missing(sweep: Sweep, minimum: Minimum, folder: SweepFolder) -> list[Settings]:
    return [s for s in sweep.settings(minimum.sharpness) if not _complete(folder.record(s.delay, s.seed), s)]


def _complete(record: Json | None, settings: Settings) -> bool:
    return bool(record and record["done"] and (record["settings"]["departures"] or not settings.departures))


def _run_config(folder: SweepFolder, callbacks: Iterable[tune.Callback], *, keep: int) -> tune.RunConfig:
    return tune.RunConfig(
        name=folder.trials.name,
        **ray_storage(folder.path),
        callbacks=[TBXLoggerCallback(), *callbacks],
        checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1, num_to_keep=keep, checkpoint_at_end=True),
        failure_config=tune.FailureConfig(max_failures=RETRIES),
        verbose=0,
    )


def _dirname(trial: Any) -> str:
    settings = trial.config["settings"]
    return f"delay={settings['delay']}_seed={settings['seed']}"


def _read_checkpoint(checkpoint: tune.Checkpoint) -> Json:
    with checkpoint.as_directory() as folder:
        state: Json = torch.load(Path(folder) / "minimum.pt", weights_only=True, map_location="cpu")
    return state


def _interrupted(folder: SweepFolder) -> Interrupted:
    return Interrupted(f"stopped; what was measured is there, the same command continues with --output {folder.path}")


def _write_summary(path: Folder, thresholds: Thresholds, figure: Any) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with written_locally(path) as folder, SummaryWriter(str(folder)) as writer:
        for point in thresholds.points:
            rates = {"measured": point.measured, "predicted": point.predicted}
            for name, rate in rates.items():
                writer.add_scalar(f"threshold/{name}_learning_rate", rate, point.delay)
                writer.add_scalar(f"threshold/{name}_inverse", 1 / rate, 2 * point.delay + 1)
            writer.add_scalar("threshold/relative_error", point.relative_error, point.delay)
        writer.add_figure("thresholds", figure)
