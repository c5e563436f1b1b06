"""The saved form of a gradient queue, and its check before anything is loaded."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from tautune.trainables.delay.gradients import Gradients

OWN_KEYS = ("settings", "time", "emptied", "stored")
"""What a queue's state has beside that of its optimizer."""


def split(state: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the optimizer's part of a saved state and the queue's, which is empty for a bare optimizer's state.

    Raises:
        ValueError: a part of the queue's state is missing.
    """
    own = {key: state[key] for key in OWN_KEYS if key in state}
    if not own:
        return state, {}
    if "optimizer" in state and "emptied" not in state:  # as it was saved before the queue was an Optimizer
        of_optimizer = state["optimizer"]
        own["emptied"] = 0
        if "stored" in own:
            own["stored"] = _with_groups_added_later(own["stored"], of_optimizer["param_groups"])
    else:
        of_optimizer = {key: value for key, value in state.items() if key not in OWN_KEYS}
    missing = [key for key in OWN_KEYS if key not in own]
    if missing:
        raise ValueError(f"the state of a gradient queue needs {', '.join(OWN_KEYS)}; missing: {', '.join(missing)}")
    return of_optimizer, own


def _with_groups_added_later(stored: Sequence[Gradients], groups: Sequence[dict[str, Any]]) -> list[Gradients]:
    """Returns gradients from before a parameter group was added with None for that group's parameters."""
    sizes = list(accumulate(len(group["params"]) for group in groups))
    return [g + [None] * (sizes[-1] - len(g)) if len(g) in sizes else g for g in stored]


def copies_of(gradients: Gradients) -> Gradients:
    """Returns copies of the gradients."""
    return [None if gradient is None else gradient.clone() for gradient in gradients]


def placed(gradients: Gradients, parameters: Sequence[Tensor]) -> Gradients:
    """Returns copies of the gradients, each on the device of its parameter."""
    pairs = zip(gradients, parameters, strict=True)
    return [None if gradient is None else gradient.to(p.device, copy=True) for gradient, p in pairs]


def check_stored(
    stored: Sequence[Sequence[Any]],
    parameters: Sequence[Tensor],
    *,
    first: int,
    count: int,
    storage: torch.dtype | None,
) -> None:
    """Raises ValueError unless `stored` holds `count` steps' gradients, from step `first` on, that fit `parameters`."""
    if len(stored) != count:
        raise ValueError(f"the state holds the gradients of {len(stored)} steps, where it should hold those of {count}")
    for step, gradients in enumerate(stored, first):
        if len(gradients) != len(parameters):
            raise ValueError(
                f"the state's gradients of step {step} are for {len(gradients)} parameters, "
                f"and the optimizer has {len(parameters)}"
            )
        for number, (gradient, parameter) in enumerate(zip(gradients, parameters, strict=True)):
            if gradient is None:
                continue
            found, due = (tuple(gradient.shape), gradient.dtype), (tuple(parameter.shape), storage or parameter.dtype)
            if found != due:
                raise ValueError(
                    f"the state's gradient of step {step} for parameter {number} has shape {found[0]} and dtype "
                    f"{found[1]}, where {due[0]} and {due[1]} are due"
                )
