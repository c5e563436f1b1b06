"""An optimizer's path on a function of a few variables: the trial of a `PathStudy`, a step a step."""

import json
import math
from pathlib import Path
from typing import Any

import torch
from ray import tune

from tautune.trainables.delay.queue import GradientQueue


class PathTrial(tune.Trainable):
    """Config: method and delay. `study` (of it function, start, steps and methods) comes by `tune.with_parameters`."""

    def setup(self, config: dict[str, Any], study: Any = None) -> None:
        self.study = study
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.x = torch.tensor(self.study.start, dtype=torch.float64, requires_grad=True)
        optimizer = self.study.methods[new_config["method"]]([self.x])
        self.optimizer = GradientQueue(optimizer, new_config["delay"])
        self.taken = 0
        return True

    def step(self) -> dict[str, Any]:
        before = self.x.detach().clone()
        self.optimizer.zero_grad()
        self.study.function(self.x).backward()
        self.optimizer.step()
        value = self.study.function(self.x).item()
        diverged = not math.isfinite(value)
        if diverged:  # the last point that is a number is the result
            self.x.detach().copy_(before)
            value = self.study.function(self.x).item()
        self.taken += not diverged
        point = {f"x{number}": coordinate for number, coordinate in enumerate(self.x.tolist(), 1)}
        done = diverged or self.taken >= self.study.steps
        return {"value": value, "diverged": int(diverged), "steps": self.taken, "done": done, **point}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        torch.save({"x": self.x, "optimizer": self.optimizer.state_dict()}, Path(checkpoint_dir) / "path.pt")
        Path(checkpoint_dir, "steps.json").write_text(json.dumps(self.taken))

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        state = torch.load(Path(checkpoint_dir) / "path.pt", weights_only=True)
        self.x.detach().copy_(state["x"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.taken = json.loads(Path(checkpoint_dir, "steps.json").read_text())
