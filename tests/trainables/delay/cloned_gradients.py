"""A delay, slow and obvious: every gradient is cloned into a list, and `.grad` is put back after each step."""

import torch


class ClonedGradients:
    def __init__(self, optimizer: torch.optim.Optimizer, delay: int) -> None:
        self.optimizer, self.delay = optimizer, delay
        self.parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self.gradients: list[list[torch.Tensor | None]] = []

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.optimizer.zero_grad(set_to_none)

    def step(self) -> None:
        held = [p.grad for p in self.parameters]
        self.gradients.append([None if g is None else g.detach().clone() for g in held])
        if len(self.gradients) > self.delay:
            for p, g in zip(self.parameters, self.gradients[-1 - self.delay], strict=True):
                p.grad = None if g is None else g.clone()
            self.optimizer.step()
        for p, g in zip(self.parameters, held, strict=True):
            p.grad = g
