"""`tautune.measure_thresholds`: measures a model's stability threshold at every delay in this process, without Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from tautune.records.delay_trace import LateDelays, late_delays
from tautune.records.errors import RunFailed, user_input
from tautune.runners.devices import device_of
from tautune.runners.shared import as_integers, check_mini_batch
from tautune.runners.sweep import Sweep, fixed_delays
from tautune.trainables.threshold.update import asked

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from tautune.analysis.thresholds import Thresholds
    from tautune.search_spaces.stability_study import StabilityStudy
    from tautune.trainables.threshold.record import MeasurementRecord


def measure_thresholds(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    inputs: Tensor,
    targets: Tensor,
    *,
    delays: Iterable[int] | None = None,
    momentum: float | None = None,
    shifted: bool = False,
    optimizer: str | None = None,
    remedy: str | None = None,
    delays_from: LateDelays | None = None,
    stages: Sequence[int] = (),
    l2: float = 0.0,
    mini_batch: int | None = None,
    seeds: int | None = None,
    resolution: float = 0.005,
    departures: bool = False,
    tolerance: float = 1e-6,
    budget: int = 20_000,
    precision: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> Thresholds:
    """Measures the largest stable learning rate of a model at every delay, and compares it with theory.

    A copy of the model is trained without delay from its current weights to a minimum, and then displaced by a
    millionth of the weights' norm. From there, delayed training either stays at the minimum or leaves it, and that is
    what is measured. The model, torch's random numbers and its number of threads stay unchanged. `tautune.sweep` does
    the same in parallel, on Ray.

    The model is evaluated in eval mode: dropout is off, and batch norm uses its running statistics unchanged.

    Args:
        model: any network whose parameters are real.
        loss: (outputs [n, …], targets [n, …]) → the mean over the n examples, a scalar.
        inputs: [N, …], of any shape and type; floating-point numbers are cast to `precision`.
        targets: [N, …], classes or numbers.
        delays: τ, in optimizer steps; None means 0, 1, 2, 4, 8, 16 and 32.
        momentum: m in [0, 1), dampened by 1-m as in the paper; as the optimizer takes it, where one is named.
        shifted: whether the velocity is delayed too (the paper's shifted momentum).
        optimizer: sgd, dampened-momentum, nesterov, shifted-momentum or spike-compensation; or adam, adamw, nadam or
            rmsprop, with their preconditioner held; None is the paper's SGD.
        remedy: predict:T, weight prediction of T steps, or predict, of the delay.
        delays_from: delays that are drawn anew at each step, in place of `delays`: those of a recorded run, as a
            sequence or as the path of a CSV file with a column `age` or `delay`, a mapping {d: probability} or a
            `RandomDelay`.
        stages: delay of each stage of a pipeline, in place of `delays`, from the model's first children to its last.
        l2: factor in the penalty (l2/2) Σ w² over the weights, without biases.
        mini_batch: examples per step; None means the full batch.
        seeds: number of measurements at each delay, each with its own order of the mini-batches and its own
            delays, which gives an uncertainty; None means 3.
        resolution: relative width of each threshold's bracket.
        departures: whether to measure also how soon training leaves the minimum above the threshold.
        tolerance: largest gradient norm, relative to its value where training begins, that counts as a minimum;
            from 1e-12 to 0.1.
        budget: largest number of gradient evaluations for reaching the minimum.
        precision: torch.float64 or torch.float32; None means torch.float64.
        device: torch device on which to compute.
        progress: whether to print a line for each delay.

    Returns:
        The thresholds: `.to_frame()`, `.plot()`, `.sharpness`, `.best`.

    Raises:
        InputError: the model, the loss, the data or a value cannot be used. It is a ValueError.
        RunFailed: no minimum was reached; the message says how far training came and what may help.
    """
    with user_input():
        kind, update = asked(optimizer, momentum, shifted, remedy, late_delays(delays_from), as_integers(stages))
        fixed = fixed_delays(delays, instead=update is not None and update.longest is not None)
        wanted = Sweep(
            study=_study(model, loss, (inputs, targets), l2, precision),
            delays=tuple(sorted(set(as_integers(fixed)))),
            momentum=kind,
            update=update,
            resolution=resolution,
            mini_batch=mini_batch,
            seeds=seeds,
            departures=departures,
            tolerance=tolerance,
            budget=budget,
        )
        return _measured(wanted, device, _tell if progress else lambda record: None)


def _study(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    data: tuple[Tensor, Tensor],
    l2: float,
    precision: torch.dtype | None,
) -> StabilityStudy:
    import torch

    from tautune.search_spaces.stability_study import StabilityStudy

    name, precision = type(model).__name__, precision or torch.float64
    return StabilityStudy(name=name, data=data, model=model, loss=loss, l2=l2, precision=precision)


def _measured(wanted: Sweep, device: torch.device | str, on_record: Callable[[MeasurementRecord], None]) -> Thresholds:
    from tautune.analysis.sweep_conclusion import conclude
    from tautune.trainables.threshold.curvature_noise import curvature_noise
    from tautune.trainables.threshold.descent import MinimumNotReached
    from tautune.trainables.threshold.in_process import measure_in_process

    assert not isinstance(wanted.study, str)
    problem = wanted.study.problem(device_of(device))
    check_mini_batch(wanted.mini_batch, wanted.name, len(problem))
    try:
        found = measure_in_process(
            problem,
            wanted.delays,
            momentum=wanted.momentum,
            update=wanted.update,
            mini_batch=wanted.mini_batch,
            seeds=wanted.repeats,
            resolution=wanted.resolution,
            departures=wanted.departures,
            tolerance=wanted.tolerance,
            budget=wanted.budget,
            on_record=on_record,
        )
    except MinimumNotReached as error:
        raise RunFailed(str(error)) from None
    _check_found(found.records)
    return conclude(
        found.records,
        study=wanted.name,
        sharpness=found.minimum.sharpness,
        momentum=wanted.momentum,
        update=found.records[0].settings.update,
        noise=curvature_noise(problem, found.minimum, wanted.mini_batch) if wanted.varies else None,
        mini_batch=wanted.mini_batch,
        examples=len(problem),
    )


def _check_found(records: Iterable[MeasurementRecord]) -> None:
    failed = [record.settings.delay for record in records if record.threshold is None]
    if failed:
        raise RunFailed(
            f"no threshold was found at delay {failed[0]}: at all learning rates tried, training "
            "either always left the minimum or never did"
        )


def _tell(record: MeasurementRecord) -> None:
    if record.done and record.threshold:
        rate, uncertainty = record.threshold
        print(f"delay {record.settings.delay}: stable up to {rate:.6g} ± {uncertainty:.1g}")
