"""What a stage of a pipeline does with its part of a model."""

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from tautune.trainables.asynchronous.batches import Batches, NumberedBatches
from tautune.trainables.asynchronous.judged import Judged

Weights = dict[str, Tensor]
"""Weights of a part by name; without an entry, a weight is the present one."""


class Part(Protocol):
    """A part of a model, with the optimizer of its weights."""

    model: nn.Module
    optimizer: Optimizer

    def inputs(self, batch: int) -> Tensor:
        """Returns what the first stage is given."""

    def outputs(self, inputs: Tensor, weights: Weights) -> Tensor:
        """Returns what the part makes of its inputs."""

    def judge(self, outputs: Tensor, batch: int) -> Judged:
        """Returns the loss of the last stage's outputs."""

    def penalty(self, weights: Weights) -> Tensor | float:
        """Returns what is added to the loss for the part's weights alone."""


class OwnPart:
    """A part of a user's own model.

    Args:
        model: the part; what of it is in eval mode stays there.
        optimizer: makes the optimizer of parameters.
        given: pairs (inputs, targets) by their number, and the loss of outputs and targets.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Callable[[Any], Optimizer],
        given: tuple[Batches, Callable[[Any, Any], Tensor]],
    ) -> None:
        self.model, self.optimizer = model, optimizer(model.parameters())
        batches, self.loss = given
        self.batches = NumberedBatches(batches)

    def inputs(self, batch: int) -> Tensor:
        """Returns the inputs of the batch of that number."""
        inputs: Tensor = self.batches(batch)[0]
        return inputs

    def outputs(self, inputs: Tensor, weights: Weights) -> Tensor:
        """Returns what the part makes of its inputs."""
        outputs: Tensor = functional_call(self.model, weights, (inputs,))
        return outputs

    def judge(self, outputs: Tensor, batch: int) -> Judged:
        """Returns the loss of the outputs and the targets of the batch of that number."""
        return Judged(self.loss(outputs, self.batches(batch)[1]))

    def penalty(self, weights: Weights) -> float:
        """Returns nothing: whatever is in the loss depends on the last stage."""
        return 0.0
