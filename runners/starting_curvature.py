"""The curvature of the loss where a tuning's best configuration begins to train."""

from itertools import islice
from typing import Any

from tautune.runners.devices import device_of
from tautune.runners.refit import RefitPlan, training_on_all
from tautune.runners.tuning_data import load_data
from tautune.runners.tuning_job import tuning_of
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.curvature.probing import curvature_of
from tautune.trainables.supervised.gradient import normalizes_batches
from tautune.trainables.supervised.supervised_training import SupervisedTraining

Json = dict[str, Any]
EXAMPLES = 128
"""Examples whose loss is looked at: with all of them, the largest eigenvalue changed by a tenth at most."""
TOLERANCE = 0.1
"""Largest residual relative to the curvature, whose own error is far smaller then."""


def starting_curvature(folder: Any, run: Json, best: Json, study: TuningStudy | None = None) -> float:
    """Returns λ₀, the largest eigenvalue of the Hessian of the loss at the initial weights of the tuning's seed.

    Args:
        run, best: what run.json and best.json hold.
        study: the one that was tuned, where it has no name or file by which it can be found.

    Raises:
        ValueError: the study or its data cannot be found, or its loss has no curvature that can be computed.
    """
    tuning = tuning_of(run, folder, study)
    assert isinstance(tuning.study, TuningStudy)
    data = load_data(tuning.study, tuning.data_dir)
    return curvature_at_start(training_on_all(RefitPlan(tuning, tuning.study, best, data), device_of("auto")))


def curvature_at_start(training: SupervisedTraining) -> float:
    """Returns λ₀ of a training that has not begun, over some of its batches. Raises ValueError if there is none."""
    model, size, task, scale = training.model, training.config.batch_size, training.task, training.scale
    passed = training.source.training_pass(size, training.order, epoch=0, drop_single=normalizes_batches(model))
    batches = [(training.normalize(part.pixels), part.targets) for part in islice(passed.batches, -(-EXAMPLES // size))]
    return curvature_of(
        model,
        lambda outputs, targets: task.loss(task.shaped(outputs.float(), targets), scale(targets)),
        batches,
        tolerance=TOLERANCE,
    ).sharpness
