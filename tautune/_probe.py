"""`tautune.probe`: how far a training is from instability where it stands, for any model, optimizer and delay."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tautune.records.delay_trace import LateDelays, late_delays
from tautune.records.errors import InputError, user_input
from tautune.records.provenance import now
from tautune.records.replaced_folder import ProbeFolder
from tautune.records.run_file import check_output
from tautune.records.storage import Folder, folder_at
from tautune.runners.probe import asked_delays
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
    output: str | Path | None = None,
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
        output: folder for probe.json, probe.png and report.html, or s3://…, gs://…; None means that nothing is written.

    Returns:
        The conclusions: `.sharpness`, `.margin`, `.safe`, `.largest_delay`, `.best_remedy`, `.to_frame()`, `.plot()`.

    Raises:
        InputError: something cannot be used, the model is not deterministic, an operation has no second derivative, the
            optimizer has no state yet, or the folder holds something else. It is a ValueError.
    """
    with user_input():
        wanted = _wanted(delays, delays_from, stages)
        if not 1e-8 <= tolerance <= 0.1:
            raise InputError(f"tolerance must be between 1e-8 and 0.1, not {tolerance!r}")
        layers = as_integers(stages)

        def measured() -> Probe:
            from tautune.analysis.probe_conclusion import concluded
            from tautune.trainables.curvature.lateness import unwrapped
            from tautune.trainables.curvature.probing import curvature_of

            found = curvature_of(model, loss, batches, optimizer=optimizer, stages=layers, tolerance=tolerance)
            return concluded(found, study=type(unwrapped(model)).__name__, delays=wanted, stages=layers)

        if output is None:
            return measured()
        configuration = {"study": None, "tolerance": tolerance, **asked_delays(wanted, layers)}
        found = kept(measured, folder_at(str(output)), configuration)
        found.report()
        return found


def kept(
    measured: Callable[[], Probe],
    output: Folder,
    configuration: dict[str, Any],
    *,
    study: str | None = None,
    started: float | None = None,
) -> Probe:
    """Measures, and writes what was found into a folder, in the place of an earlier probe.

    Args:
        measured: measures.
        output: the folder.
        configuration: what was asked for.
        study: the study's name or its file, which can stand in a command; None for one that a program made.
        started: `time.monotonic()` at the command's start; now, if not given.

    Raises:
        InputError: nothing can be written there, which is told before anything is measured; or as `measured` does.
    """
    begin = time.monotonic() if started is None else started
    with ProbeFolder(check_output(output, "probe"), configuration) as folder:
        found = measured().at(folder.path)
        from tautune.analysis.report import write_probe
        from tautune.runners.begun import begun

        folder.configuration |= {"study": found.study}
        write_probe(found, folder.path)
        seconds = round(time.monotonic() - begin, 1)
        folder.keep_run(runs=[{**begun(study, begin), "finished": now(), "duration_seconds": seconds}])
    return found


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
