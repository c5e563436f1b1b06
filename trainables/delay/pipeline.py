"""The stages of a pipeline as parameter groups, and how late each stage's gradients are."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from torch import nn

Part = str | nn.Module | nn.Parameter
"""A module or a parameter, or its name in the model."""


def pipeline_delays(
    model: nn.Module, stages: int | Sequence[Part | Sequence[Part]], *, schedule: str = "1f1b"
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Returns the parameter groups of a pipeline's stages, named stage0, stage1, …, and the delay of each, in steps.

    Give the groups to an optimizer, and the delays to `WeightStashing`, which computes what such a pipeline computes,
    or to `GradientQueue`, which applies each stage's gradients late.

    Args:
        model: the network.
        stages: how many stages to make of the model's children, or the modules and parameters of each stage from
            first to last, by name (as in `model.named_modules()`) or as they are. A number gives every stage as many
            children that have parameters as any other, or one more, in the order in which they were registered.
        schedule: "1f1b", where a stage's delay is the number of later stages (PipeDream), or "2bw", where it is 1
            everywhere (PipeDream-2BW).

    Raises:
        ValueError: the stages do not cover the model's parameters, or two stages have the same one; a module does not
            exist; there are fewer children than stages; or the schedule is another one.
    """
    if schedule not in ("1f1b", "2bw"):
        raise ValueError(f"schedule must be 1f1b or 2bw, not {schedule!r}")
    parts = _split(model, stages) if isinstance(stages, int) else [_parameters(model, stage) for stage in stages]
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    stage_of: dict[int, int] = {}
    groups = []
    for number, parameters in enumerate(parts):
        own = {id(parameter): parameter for parameter in parameters}
        for key in own:
            if key not in names:
                raise ValueError(f"stage {number} has a parameter that the model does not have")
            if key in stage_of:
                raise ValueError(f"parameter {names[key]!r} is in stage {stage_of[key]} and in stage {number}")
            stage_of[key] = number
        if not own:
            raise ValueError(f"stage {number} has no parameters")
        groups.append({"name": f"stage{number}", "params": list(own.values())})
    missing = [name for key, name in names.items() if key not in stage_of]
    if missing:
        raise ValueError(f"stages do not cover the parameters of the model: {', '.join(map(repr, missing))}")
    last = len(groups) - 1
    return groups, {f"stage{number}": (last - number if schedule == "1f1b" else 1) for number in range(last + 1)}


def _split(model: nn.Module, stages: int) -> list[list[nn.Parameter]]:
    """Returns the parameters of the model's children, in that many runs of children of nearly equal length."""
    children = [parameters for child in model.children() if (parameters := list(child.parameters()))]
    if not children:
        raise ValueError("stages are made of a model's children, and this one has none with parameters")
    if isinstance(stages, bool) or not 1 <= stages <= len(children):
        raise ValueError(
            f"stages must be between 1 and {len(children)}, the model's children that have parameters, not {stages!r}; "
            "or name the modules of each stage"
        )
    runs = np.array_split(np.arange(len(children)), stages)
    return [[parameter for index in run for parameter in children[index]] for run in runs]


def _parameters(model: nn.Module, stage: Part | Sequence[Part]) -> list[nn.Parameter]:
    """Returns the parameters of a stage."""
    found: list[nn.Parameter] = []
    for part in [stage] if isinstance(stage, str | nn.Module | nn.Parameter) else stage:
        named = _named(model, part) if isinstance(part, str) else part
        found += [named] if isinstance(named, nn.Parameter) else named.parameters()
    return found


def _named(model: nn.Module, name: str) -> nn.Module | nn.Parameter:
    """Returns the module or the parameter of that name."""
    for find in (model.get_submodule, model.get_parameter):
        with suppress(AttributeError):
            return find(name)
    raise ValueError(f"the model has no module and no parameter {name!r}")
