"""What an optimizer and a remedy ask of one's code, and of one's memory."""

from collections.abc import Sequence
from dataclasses import dataclass

from tautune.trainables.theory.delays import Delays
from tautune.trainables.theory.remedies import Compensation, Prediction, Remedy

TORCH = {
    "sgd": "torch.optim.SGD({parameters}, lr={lr}{momentum})",
    "dampened-momentum": "torch.optim.SGD({parameters}, lr={lr}, momentum={m:g}, dampening={m:g})",
    "nesterov": "torch.optim.SGD({parameters}, lr={lr}, momentum={m:g}, nesterov=True)",
    "nadam": "torch.optim.NAdam({parameters}, lr={lr}, betas=({m:g}, 0.999))",
    "adam": "torch.optim.Adam({parameters}, lr={lr}, betas=({m:g}, 0.999))",
    "adamw": "torch.optim.AdamW({parameters}, lr={lr}, betas=({m:g}, 0.999))",
    "rmsprop": "torch.optim.RMSprop({parameters}, lr={lr}{momentum})",
    "shifted-momentum": "tautune.ShiftedMomentumSGD({parameters}, lr={lr}, momentum={m:g}, shift={delay})",
    "spike-compensation": "tautune.SpikeCompensatedSGD({parameters}, lr={lr}, momentum={m:g}, horizon={mean:g})",
}
STATES = {"sgd": 0, "rmsprop": 1, "nadam": 2, "adam": 2, "adamw": 2}
"""Copies of the parameters that an optimizer without momentum of SGD's kind keeps; the others keep one velocity."""
LONGEST_WRITTEN = 12
"""Longest random delay in steps whose probabilities are written out."""


@dataclass(frozen=True)
class Memory:
    """What is held besides the weights and their gradients, in copies of the parameters."""

    optimizer: int
    remedy: int
    queue: int
    """Gradients under way. Where the delay is real, they are somewhere else."""


def memory(name: str, m: float, delays: Delays, remedies: Sequence[Remedy]) -> Memory:
    """Returns what an optimizer and its remedies hold."""
    states = STATES.get(name, 1) + (1 if m and name in ("sgd", "rmsprop") else 0)
    if name == "shifted-momentum":
        states = delays.maximum + 1
    held = {Prediction: 2, Compensation: delays.maximum + 1}
    return Memory(states, sum(held[type(remedy)] for remedy in remedies), delays.maximum)


def code(name: str, m: float, delays: Delays, remedies: Sequence[Remedy], step: float, sharpness: float | None) -> str:
    """Returns the lines that make the optimizer, with its learning rate of fastest decay.

    They use `model`; also `sharpness` if it is not given, and `recorded`, the delays in the user's file, if they are
    too long to be written out.
    """
    η = step * (1 - m) if name == "spike-compensation" else step  # its class in tautune is undampened
    lr = f"{η:.3g} / sharpness" if sharpness is None else f"{η / sharpness:.3g}"
    staged = not (delays.is_fixed or delays.drawn)
    template = TORCH.get(name, "YourOptimizer({parameters}, lr={lr})")
    optimizer = template.format(
        parameters="groups" if staged else "model.parameters()",
        lr=lr,
        m=m,
        momentum=f", momentum={m:g}" if m else "",
        delay=delays.maximum,
        mean=delays.mean,
    )
    stages = f"groups, _ = tautune.pipeline_delays(model, {len(delays.of_stages)})  # or the modules of each stage\n"
    lines = (stages if staged else "") + f"optimizer = {optimizer}\n"
    queue = f"tautune.GradientQueue(optimizer, delay={_delay(delays)})"
    for remedy in remedies:
        if isinstance(remedy, Prediction):
            horizon = "" if remedy.horizon is None else f", horizon={remedy.horizon:g}"
            queue = f"tautune.WeightPrediction({queue}{horizon})"
        else:
            queue = f"tautune.DelayCompensation({queue})"
    ending = "\nwith optimizer.predicted():  # around the forward and the backward pass"
    predicted = any(isinstance(remedy, Prediction) for remedy in remedies)
    return lines + f"optimizer = {queue}" + (ending if predicted else "")


def _delay(delays: Delays) -> str:
    if delays.is_fixed:
        return str(delays.maximum)
    if not delays.drawn:
        return f'{{f"stage{{i}}": d for i, d in enumerate({list(delays.of_stages)})}}'
    if delays.maximum > LONGEST_WRITTEN:
        return "recorded"
    shares = dict(zip(delays.steps, delays.shares, strict=True))
    probabilities = ", ".join(f"{shares.get(d, 0):.6g}" for d in range(delays.maximum + 1))
    return f"tautune.RandomDelay(probabilities=({probabilities}))"
