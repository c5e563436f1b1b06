"""`tautune.probe`: how far a training is from instability where it stands, for any model, optimizer and delay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tautune.records.delay_trace import LateDelays, late_delays
from tautune.records.errors import InputError, user_input
from tautune.runners.shared import as_integers, check_delays
from tautune.trainables.theory.delays import Delays

if TYPE_CHECKING:
    from torch import nn

    from tautune.analysis.probe import Probe
    from tautune.trainables.curvature.batch_loss import AnyLoss


def probe(
    model: nn.Module,
    loss: AnyLoss,
    batches: Any,
    *,
    optimizer: Any = None,
    delays: Iterable[int] | int | None = None,
    delays_from: LateDelays | None = None,
    stages: Sequence[int] = (),
    tolerance: float = 1e-3,
) -> Probe:
    """Returns whether the learning rate is safe at the weights that a model has now, at which delays, and by how much.

    The sharpness is that of the loss over the batches, preconditioned by the optimizer's own state where it has one,
    with its learning rates by parameter group and its weight decay. It takes some ten to a hundred Hessian-vector
    products, one batch in memory at a time. Model, optimizer and torch's random numbers stay as they are. Dropout is
    off; batch norm in train mode divides by each batch's own statistics, in eval mode by its running ones.

    Args:
        model: any network whose parameters are real, on any device.
        loss: (outputs, targets) → the mean over a batch's examples, a scalar. Where a batch is a mapping, the model is
            called with it as keywords, and the loss gets it as its targets: `lambda outputs, batch: outputs.loss`.
        batches: a DataLoader, a list of pairs (inputs, targets) or of mappings, or a single one of them. With several,
            the noise of the curvature between them counts too.
        optimizer: that of the run, after a step: SGD, Adam, AdamW, NAdam, RMSprop, or tautune's, with or without a
            `GradientQueue` and `WeightPrediction` around it. Without one, thresholds are those of plain SGD.
        delays: τ in steps, one or several; the optimizer's own if not given.
        delays_from: delays that are drawn anew at each step, as in `tautune.measure_thresholds`.
        stages: delay of each stage of a pipeline, from the model's first children to its last, weighted by the true
            shares of the sharpest direction.
        tolerance: largest residual of the eigenvector, relative to the sharpness.

    Returns:
        The conclusions: `.sharpness`, `.margin`, `.safe`, `.largest_delay`, `.best_remedy`, `.to_frame()`.

    Raises:
        InputError: something cannot be used, the model is not deterministic, an operation has no second derivative, or
            the optimizer has no state yet. It is a ValueError.
    """
    with user_input():
        wanted = _wanted(delays, delays_from, stages)
        if not 1e-8 <= tolerance <= 0.1:
            raise InputError(f"tolerance must be between 1e-8 and 0.1, not {tolerance!r}")
        from tautune.analysis.probe import concluded
        from tautune.trainables.curvature.probing import curvature_of

        found = curvature_of(model, loss, batches, optimizer=optimizer, stages=as_integers(stages), tolerance=tolerance)
        return concluded(found, delays=wanted, stages=as_integers(stages))


def _wanted(
    delays: Iterable[int] | int | None, delays_from: LateDelays | None, stages: Sequence[int]
) -> list[Delays] | None:
    """Returns the delays that are asked about; None where they are the optimizer's own, or those of stages."""
    given = {"delays": delays is not None, "delays_from": delays_from is not None, "stages": bool(stages)}
    names = [name for name, is_given in given.items() if is_given]
    if len(names) > 1:
        raise InputError(f"{' and '.join(names)} exclude each other; give one of them")
    if delays_from is not None:
        late = late_delays(delays_from)
        return None if late is None else [late]
    if stages:
        check_delays(as_integers(stages))
    if delays is None:
        return None
    listed = as_integers([delays] if isinstance(delays, int) else delays)
    check_delays(listed)
    return [Delays.fixed(delay) for delay in sorted(set(listed))]
