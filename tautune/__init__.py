"""tautune finds learning rates that are stable when gradients arrive τ steps late, and tunes networks trained this way.

The names below are the public interface. Each is imported on first use, so `import tautune` itself loads neither torch
nor Ray.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tautune._asynchronous import AsynchronousTraining as AsynchronousTraining
    from tautune._edge import edge as edge
    from tautune._grid import grid as grid
    from tautune._load import load as load
    from tautune._pipeline import AsynchronousPipeline as AsynchronousPipeline
    from tautune._probe import probe as probe
    from tautune._simulate import simulate as simulate
    from tautune._sweep import sweep as sweep
    from tautune._thresholds import measure_thresholds as measure_thresholds
    from tautune._transfer import transfer as transfer
    from tautune._tune import tune as tune
    from tautune.records.delay_trace import read_trace as read_trace
    from tautune.records.errors import InputError as InputError
    from tautune.records.errors import Interrupted as Interrupted
    from tautune.records.errors import RunFailed as RunFailed
    from tautune.search_spaces.data import Data as Data
    from tautune.search_spaces.loop_study import LoopStudy as LoopStudy
    from tautune.search_spaces.normalized import normalized as normalized
    from tautune.search_spaces.sequences import Series as Series
    from tautune.search_spaces.sequences import Text as Text
    from tautune.search_spaces.space import When as When
    from tautune.search_spaces.stability_study import StabilityStudy as StabilityStudy
    from tautune.search_spaces.tuning_study import TuningStudy as TuningStudy
    from tautune.trainables.asynchronous.settings import Stages as Stages
    from tautune.trainables.asynchronous.settings import Workers as Workers
    from tautune.trainables.curvature.monitor import StabilityMonitor as StabilityMonitor
    from tautune.trainables.curvature.monitor import StabilityWarning as StabilityWarning
    from tautune.trainables.delay.arriving import ArrivingGradients as ArrivingGradients
    from tautune.trainables.delay.pipeline import pipeline_delays as pipeline_delays
    from tautune.trainables.delay.queue import GradientQueue as GradientQueue
    from tautune.trainables.delay.remedies.delay_adaptive import DelayAdaptive as DelayAdaptive
    from tautune.trainables.delay.remedies.delay_compensation import DelayCompensation as DelayCompensation
    from tautune.trainables.delay.remedies.discard_stale import DiscardStale as DiscardStale
    from tautune.trainables.delay.remedies.gap_aware import GapAware as GapAware
    from tautune.trainables.delay.remedies.pipemare import PipeMareRescheduling as PipeMareRescheduling
    from tautune.trainables.delay.remedies.staleness_aware import StalenessAware as StalenessAware
    from tautune.trainables.delay.remedies.weight_prediction import WeightPrediction as WeightPrediction
    from tautune.trainables.delay.schedules import RandomDelay as RandomDelay
    from tautune.trainables.delay.shifted_momentum import ShiftedMomentumSGD as ShiftedMomentumSGD
    from tautune.trainables.delay.spike_compensation import SpikeCompensatedSGD as SpikeCompensatedSGD
    from tautune.trainables.delay.weight_stashing import WeightStashing as WeightStashing
    from tautune.trainables.supervised.datasets import ImageData as ImageData
    from tautune.trainables.supervised.datasets import Images as Images
    from tautune.trainables.supervised.tasks import Task as Task
    from tautune.trainables.theory.advice import advise as advise
    from tautune.trainables.theory.delays import Delays as Delays
    from tautune.trainables.theory.loop import TrainingLoop as TrainingLoop
    from tautune.trainables.theory.optimizers import OwnFilter as OwnFilter
    from tautune.trainables.theory.stability import max_stable_learning_rate as max_stable_learning_rate
    from tautune.trainables.theory.stability import threshold as threshold
    from tautune.trainables.theory.stability import transfer_learning_rate as transfer_learning_rate

_MODULES = {
    "AsynchronousTraining": "_asynchronous",
    "AsynchronousPipeline": "_pipeline",
    "ArrivingGradients": "trainables.delay.arriving",
    "Stages": "trainables.asynchronous.settings",
    "Workers": "trainables.asynchronous.settings",
    "edge": "_edge",
    "grid": "_grid",
    "load": "_load",
    "probe": "_probe",
    "simulate": "_simulate",
    "sweep": "_sweep",
    "measure_thresholds": "_thresholds",
    "tune": "_tune",
    "transfer": "_transfer",
    "InputError": "records.errors",
    "read_trace": "records.delay_trace",
    "Interrupted": "records.errors",
    "RunFailed": "records.errors",
    "normalized": "search_spaces.normalized",
    "LoopStudy": "search_spaces.loop_study",
    "When": "search_spaces.space",
    "StabilityMonitor": "trainables.curvature.monitor",
    "StabilityWarning": "trainables.curvature.monitor",
    "StabilityStudy": "search_spaces.stability_study",
    "TuningStudy": "search_spaces.tuning_study",
    "Data": "search_spaces.data",
    "ImageData": "trainables.supervised.datasets",
    "Images": "trainables.supervised.datasets",
    "pipeline_delays": "trainables.delay.pipeline",
    "Series": "search_spaces.sequences",
    "Text": "search_spaces.sequences",
    "Task": "trainables.supervised.tasks",
    "GradientQueue": "trainables.delay.queue",
    "DelayAdaptive": "trainables.delay.remedies.delay_adaptive",
    "DelayCompensation": "trainables.delay.remedies.delay_compensation",
    "DiscardStale": "trainables.delay.remedies.discard_stale",
    "GapAware": "trainables.delay.remedies.gap_aware",
    "PipeMareRescheduling": "trainables.delay.remedies.pipemare",
    "StalenessAware": "trainables.delay.remedies.staleness_aware",
    "WeightPrediction": "trainables.delay.remedies.weight_prediction",
    "RandomDelay": "trainables.delay.schedules",
    "ShiftedMomentumSGD": "trainables.delay.shifted_momentum",
    "SpikeCompensatedSGD": "trainables.delay.spike_compensation",
    "WeightStashing": "trainables.delay.weight_stashing",
    "advise": "trainables.theory.advice",
    "Delays": "trainables.theory.delays",
    "TrainingLoop": "trainables.theory.loop",
    "OwnFilter": "trainables.theory.optimizers",
    "max_stable_learning_rate": "trainables.theory.stability",
    "threshold": "trainables.theory.stability",
    "transfer_learning_rate": "trainables.theory.stability",
}
"""The module that holds each public name."""

__all__ = sorted(_MODULES)  # noqa: PLE0605 - a test compares it with the imports above


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib import metadata

        return metadata.version("tautune")
    if name not in _MODULES:
        raise AttributeError(f"module 'tautune' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f"tautune.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
