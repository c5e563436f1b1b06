"""One stage of an asynchronous pipeline: a part of the model, whose neighbours send it activations and gradients."""

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tautune.trainables.asynchronous.batches import seed_batch
from tautune.trainables.asynchronous.judged import Judged
from tautune.trainables.asynchronous.link import Entrance, Link, enter
from tautune.trainables.asynchronous.part import Part, Weights


class Update(NamedTuple):
    """What is known of a stage's update."""

    age: int
    """Updates between the weights that the batch met and those that its gradient was applied to."""
    loss: float
    """In the last stage; not a number in the others, as the next two are 0."""
    examples: int
    hits: int


class Kept(NamedTuple):
    """What a stage keeps of a forward pass until the backward pass."""

    outputs: Tensor
    """With their graph; where the backward pass computes them anew, the inputs stand for them."""
    inputs: Tensor
    weights: Weights
    """Copies of those that the forward pass had; none where they are the present ones."""
    version: int
    judged: Judged | None


class Stage:
    """A Ray actor that has one stage of the model, and never waits for the pipeline to empty (1F1B without flush).

    With d later stages, it goes d batches ahead of its backward passes, and then makes one forward and one backward
    pass in turn, with an update after each backward pass. So batch t meets weights that are d updates old.

    Args:
        part: of the model.
        number: of the stage, from 0.
        of: how many stages there are.
        stashing: whether the backward pass has the weights of the forward pass, which are kept for it. Otherwise the
            backward pass computes the activations anew, with the newest weights.
        seed: of dropout, which is drawn for each batch and stage.
    """

    def __init__(self, part: Part, number: int, of: int, *, stashing: bool = True, seed: int = 0) -> None:
        self.part = part
        self.number, self.ahead = number, of - 1 - number
        self.anew = not stashing and self.ahead > 0
        self.seed = seed * of + number
        self.forwards = self.backwards = 0
        self._kept: deque[Kept] = deque()
        self._sent: Tensor | None = None
        """The last activations: the next stage has not used them yet when this one is between two updates."""
        self._before: Link | None = None
        self._after: Link | None = None

    def listen(self, host: str) -> tuple[tuple[str, int], bytes]:
        """Returns where the stage before this one finds it, and the key to prove to each other."""
        self._entrance = Entrance(host)
        return self._entrance.address, self._entrance.key

    def connect(self, address: tuple[str, int] | None, key: bytes) -> None:
        """Connects to the next stage, if there is one, and waits for the one before, if there is one."""
        if address:
            self._after = enter(address, key)
            if self._sent is not None:
                self._after.send(self._sent)
        if self.number:
            self._before = self._entrance.admit()

    def run(self, updates: int, rates: Sequence[float] = ()) -> list[Update]:
        """Makes so many updates, each with its learning rate, if they are given.

        Raises:
            Lost: a neighbour is gone.
        """
        done = []
        try:
            for number in range(updates):
                while self.forwards <= self.backwards + self.ahead:
                    self._forward()
                for group in self.part.optimizer.param_groups if rates else ():
                    group["lr"] = rates[number]
                done.append(self._backward())
        except BaseException:
            self.close()  # so that no neighbour waits for ever
            raise
        return done

    def _forward(self) -> None:
        number = self.forwards
        x = self._before.receive().requires_grad_() if self._before else self.part.inputs(number)
        weights: Weights = {}
        if self.ahead and not self.anew:
            named = self.part.model.named_parameters()
            weights = {name: p.detach().clone().requires_grad_(p.requires_grad) for name, p in named}
        with torch.set_grad_enabled(not self.anew):
            kept = self._passed(number, x, weights, self.backwards)
        if self._after:
            self._sent = kept.outputs.detach()
            self._after.send(self._sent)
        self._kept.append(kept._replace(outputs=x) if self.anew else kept)
        self.forwards += 1

    def _passed(self, number: int, x: Tensor, weights: Weights, version: int) -> Kept:
        """Makes a forward pass."""
        seed_batch(self.seed, number)
        outputs = self.part.outputs(x, weights)
        judged = None if self.ahead else self.part.judge(outputs, number)
        return Kept(outputs, x, weights, version, judged)

    def _again(self, number: int, kept: Kept) -> Kept:
        """Makes a forward pass once more; running estimates have seen it."""
        buffers = {name: buffer.clone() for name, buffer in self.part.model.named_buffers()}
        passed = self._passed(number, kept.inputs, kept.weights | buffers, kept.version)
        return kept._replace(outputs=passed.outputs)

    def _backward(self) -> Update:
        number, kept = self.backwards, self._kept.popleft()
        self.part.optimizer.zero_grad()
        if self.anew:
            kept = self._again(number, kept)
        if self._after:
            gradient = self._after.receive()
            if kept.outputs.requires_grad:  # or all that is in the first stage is frozen
                kept.outputs.backward(gradient)
        elif kept.judged:
            kept.judged.loss.backward()
        penalty = self.part.penalty(kept.weights)
        if isinstance(penalty, Tensor):
            penalty.backward()
        for name, parameter in self.part.model.named_parameters() if kept.weights else ():
            parameter.grad = kept.weights[name].grad
        if self._before:
            assert kept.inputs.grad is not None
            self._before.send(kept.inputs.grad)
        self.part.optimizer.step()
        self.backwards += 1
        judged = kept.judged or Judged(torch.tensor(float("nan")), 0, 0)
        return Update(number - kept.version, judged.loss.item(), judged.examples, judged.hits)

    def weights(self) -> dict[str, Tensor]:
        """Returns the stage's newest weights and buffers."""
        return self.part.model.state_dict()

    def state_dict(self) -> dict[str, Any]:
        """Returns all that the stage needs to go on bit for bit, while no stage makes updates."""
        kept = [
            {
                "inputs": one.inputs.detach(),
                "weights": {name: weight.detach() for name, weight in one.weights.items()},
                "version": one.version,
            }
            for one in self._kept
        ]
        own = {"model": self.weights(), "optimizer": self.part.optimizer.state_dict()}
        return own | {"backwards": self.backwards, "kept": kept, "sent": self._sent}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a state, before it is connected."""
        model = self.part.model
        own = dict(model.named_parameters())
        model.load_state_dict(state["model"])
        self.part.optimizer.load_state_dict(state["optimizer"])
        self.forwards = self.backwards = state["backwards"]
        self._sent = state["sent"]
        for one in state["kept"]:
            x = one["inputs"].clone()
            x = x.requires_grad_() if self.number else x
            weights = {name: w.clone().requires_grad_(own[name].requires_grad) for name, w in one["weights"].items()}
            kept = Kept(x, x, weights, one["version"], None)
            self._kept.append(kept if self.anew else self._again(self.forwards, kept))
            self.forwards += 1

    def close(self) -> None:
        """Closes the connections."""
        for link in (self._before, self._after):
            if link:
                link.close()
