"""Cuts a model into the stages of a pipeline."""

from typing import Any

import numpy as np
from torch import nn


def cut(model: nn.Module, stages: Any) -> list[nn.Module]:
    """Returns the parts of a model that run one after another.

    Args:
        model: an `nn.Sequential`, for a number of stages.
        stages: how many; or the parts themselves, each a module whose output is the next one's input. A number gives
            every stage as many children that have parameters as any other, or one more, as `pipeline_delays` does;
            those without parameters stay with the one before them.

    Raises:
        ValueError: the model cannot be cut so.
    """
    if isinstance(stages, list | tuple):
        return _given(model, list(stages))
    if isinstance(stages, bool) or not isinstance(stages, int) or stages < 1:
        raise ValueError(f"stages must be an integer of at least 1, or a list of modules, not {stages!r}")
    if stages == 1:
        return [model]
    if not isinstance(model, nn.Sequential) or type(model).forward is not nn.Sequential.forward:
        raise ValueError(
            f"a {type(model).__name__} cannot be cut into {stages} stages, since only an nn.Sequential says what "
            "follows what: make it one, or give AsynchronousPipeline the stages as a list of modules, each of which "
            "takes the output of the one before"
        )
    children = list(model)  # and not `children()`, which has a module that is in there twice, an activation, only once
    heavy = [place for place, child in enumerate(children) if next(child.parameters(), None) is not None]
    if stages > len(heavy):
        raise ValueError(
            f"it cannot be cut into {stages} stages: it has {len(heavy)} children with parameters, and each stage "
            "needs one"
        )
    firsts = [int(run[0]) for run in np.array_split(heavy, stages)]
    begins = [0, *firsts[1:], len(children)]
    return _given(model, [nn.Sequential(*children[begin:end]) for begin, end in zip(begins, begins[1:], strict=False)])


def _given(model: nn.Module, parts: list[nn.Module]) -> list[nn.Module]:
    own = {id(parameter) for parameter in model.parameters()}
    seen: set[int] = set()
    for number, part in enumerate(parts):
        here = {id(parameter) for parameter in part.parameters()}
        if not here:
            raise ValueError(f"stage {number} has no parameters")
        if here & seen:
            raise ValueError(
                f"stage {number} has a parameter that an earlier stage has too; keep both in one stage, or untie them"
            )
        seen |= here
    if seen != own:
        raise ValueError("the stages do not have the parameters that the model has")
    return parts
