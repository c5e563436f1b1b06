"""A user's checkpoint: the state dicts of a model and its optimizer, in the forms in which they are commonly saved."""

from collections.abc import Callable, Iterable, Mapping
from os.path import commonprefix
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tautune.records.errors import InputError
from tautune.trainables.delay.queue_state import OWN_KEYS

MODEL_KEYS = ("model", "model_state_dict", "state_dict", "network", "net", "module")
OPTIMIZER_KEYS = ("optimizer", "optimizer_state_dict", "optimizer_states", "optim")
"""Under which PyTorch's tutorials, Lightning and others keep them; Lightning has a list of optimizers."""
Json = dict[str, Any]
Make = Callable[[Any, float, float], Optimizer]
OPTIMIZERS: dict[str, Make] = {
    "sgd": lambda p, η, m: torch.optim.SGD(p, η, momentum=m),
    "dampened-momentum": lambda p, η, m: torch.optim.SGD(p, η, momentum=m, dampening=m),
    "nesterov": lambda p, η, m: torch.optim.SGD(p, η, momentum=m, nesterov=True),
    "adam": lambda p, η, m: torch.optim.Adam(p, η, betas=(m, 0.999)),
    "adamw": lambda p, η, m: torch.optim.AdamW(p, η, betas=(m, 0.999)),
    "nadam": lambda p, η, m: torch.optim.NAdam(p, η, betas=(m, 0.999)),
    "rmsprop": lambda p, η, m: torch.optim.RMSprop(p, η, momentum=m),
}


def make(name: str, parameters: Iterable[Any], learning_rate: float, m: float) -> Optimizer:
    """Returns an optimizer by its name."""
    return OPTIMIZERS[name](parameters, learning_rate, m)


def load_checkpoint(path: Path, model: nn.Module, optimizer: str | None, *, late: bool) -> Optimizer | None:
    """Loads a model's weights, and returns its optimizer with its state; None if the file has none.

    Args:
        optimizer: its name, where the file does not tell; None means what its settings are those of.
        late: whether delays are asked about: the file of an optimizer in a queue does not tell them otherwise.

    Raises:
        InputError: the file cannot be read, is that of another model, or of a queue whose delays are not asked about.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever torch's reader makes of another file
        line = str(error).strip().partition("\n")[0].partition(". ")[0][:160]
        why = f"{type(error).__name__}: {line}"
        raise InputError(
            f"{path} is no checkpoint that torch.load reads with weights_only=True ({why}); save the state dicts of "
            "model and optimizer, and not the objects"
        ) from None
    if not isinstance(content, Mapping):
        raise InputError(f"{path} holds a {type(content).__name__}, and no state dict")
    _load_weights(path, model, _weights(path, content))
    saved = next((content[key] for key in OPTIMIZER_KEYS if key in content), None)
    saved = saved[0] if isinstance(saved, list) and saved else saved
    if not isinstance(saved, Mapping) or not saved:
        return None
    if not late and not set(OWN_KEYS) - saved.keys():
        raise InputError(
            f"{path} is of an optimizer whose gradients are late ({saved['settings']}): say how late by --delays, "
            "--delays-from, --delay-shares or --stages"
        )
    return _optimizer(path, model, saved, optimizer)


def _weights(path: Path, content: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in MODEL_KEYS:
        if isinstance(content.get(key), Mapping):
            found: Mapping[str, Any] = content[key]
            return found
    if content and all(isinstance(value, Tensor) for value in content.values()):
        return content
    raise InputError(f"{path} has no model: it needs a state dict, alone or under one of {', '.join(MODEL_KEYS)}")


def _load_weights(path: Path, model: nn.Module, weights: Mapping[str, Any]) -> None:
    own = model.state_dict()
    prefix, dot, _ = commonprefix(list(weights)).rpartition(".")
    if dot and not own.keys() & weights.keys():  # DistributedDataParallel's, or a Lightning module's attribute
        weights = {name.removeprefix(f"{prefix}."): value for name, value in weights.items()}
    missing, unknown = sorted(own.keys() - weights.keys()), sorted(weights.keys() - own.keys())
    if missing or unknown:
        what = f"it lacks {_few(missing)}" if missing else f"the study's model has no {_few(unknown)}"
        raise InputError(f"{path} is a checkpoint of another model: {what}")
    for name, value in weights.items():
        if getattr(value, "shape", None) != own[name].shape:
            here, there = tuple(own[name].shape), tuple(getattr(value, "shape", ()))
            raise InputError(f"{path} is a checkpoint of another model: {name} has the shape {there}, not {here}")
    model.load_state_dict(dict(weights))


def _optimizer(path: Path, model: nn.Module, saved: Mapping[str, Any], name: str | None) -> Optimizer:
    groups = saved.get("param_groups")
    if not isinstance(groups, list) or not groups:
        raise InputError(f"{path} has an optimizer without param_groups")
    optimizer = make(_named(path, name, groups[0]), _grouped(path, model, groups), 1.0, 0.0)
    groups = [{**optimizer.defaults, **group} for group in groups]  # an optimizer like it may lack a setting
    try:
        optimizer.load_state_dict({"state": saved.get("state", {}), "param_groups": groups})
    except (ValueError, KeyError) as error:
        raise InputError(f"{path} has the optimizer of another model: {error}") from None
    for p, state in optimizer.state.items():
        if any(isinstance(value, Tensor) and value.ndim and value.shape != p.shape for value in state.values()):
            raise InputError(f"{path} has the optimizer of another model: a state of another shape than its weight")
    return optimizer


def _named(path: Path, name: str | None, group: Json) -> str:
    """Returns the optimizer that is to be made. Raises InputError if the file tells of another one, or of none."""
    own = _kind(group)
    if own is None and name is None:
        raise InputError(f"{path} has an optimizer that is not known; name one like it by --optimizer, or use Python")
    if own and name and _class(own) != _class(name):
        raise InputError(f"{path} has the state of {own}, and not of {name}: leave --optimizer out")
    return name or own or ""


def _class(name: str) -> str:
    """Returns the optimizer whose settings cannot be told from those of `name`: AdamW's were Adam's in older files."""
    return {"adamw": "adam", "nesterov": "sgd", "dampened-momentum": "sgd"}.get(name, name)


def _kind(group: Json) -> str | None:
    """Returns the name of the optimizer whose settings a parameter group has; None if it is not known."""
    if "momentum_decay" in group:
        return "nadam"
    if "betas" in group and "amsgrad" in group:
        return "adamw" if group.get("decoupled_weight_decay") else "adam"
    if "alpha" in group and "centered" in group:
        return "rmsprop"
    if "dampening" in group:
        return "sgd"
    return None


def _grouped(path: Path, model: nn.Module, groups: list[Json]) -> list[Any]:
    """Returns the model's parameters in the groups of the checkpoint."""
    named = dict(model.named_parameters())
    if all("param_names" in group for group in groups):
        try:
            return [{"params": [(name, named[name]) for name in group["param_names"]]} for group in groups]
        except KeyError as error:
            raise InputError(f"{path} has the optimizer of another model: there is no parameter {error}") from None
    if len(groups) == 1:
        count = len(groups[0]["params"])
        trained = [p for p in named.values() if p.requires_grad]
        return [{"params": trained if count == len(trained) else list(named.values())}]
    raise InputError(
        f"{path} has an optimizer of {len(groups)} parameter groups, and does not say which weights are in which: make "
        "it from model.named_parameters(), or use tautune.probe in Python"
    )


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
