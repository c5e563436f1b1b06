"""A network in training whose stages are processes of an asynchronous pipeline, on this host and on others."""

from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call
from torch.optim import Optimizer

from tautune.trainables.asynchronous.batches import seed_of
from tautune.trainables.asynchronous.cutting import cut
from tautune.trainables.asynchronous.judged import Judged
from tautune.trainables.asynchronous.part import Weights
from tautune.trainables.asynchronous.settings import Stages
from tautune.trainables.asynchronous.stage import Update
from tautune.trainables.asynchronous.stage_group import StageGroup
from tautune.trainables.delay.shifted_momentum import ShiftedMomentumSGD
from tautune.trainables.supervised.elsewhere import Make, TrainingElsewhere
from tautune.trainables.supervised.gradient import augmented
from tautune.trainables.supervised.passes import Passes
from tautune.trainables.supervised.penalties import penalized, penalty
from tautune.trainables.supervised.training import CHECK_EVERY, DIVERGED_LOSS, Epoch


class Row(NamedTuple):
    """What is recorded of a stage's update."""

    step: int
    worker: int
    """The stage, from 0."""
    age: int
    gradient: int
    batch: int


class SupervisedPart:
    """The part of a training that one stage has: its weights, their optimizer and penalties.

    Args:
        number: of the stage, from 0.
        of: how many stages there are.
        make: makes the training, whose other parts are put away.
    """

    def __init__(self, number: int, of: int, make: Make) -> None:
        training = make("cpu")
        self.passes, self.normalize, self.scale = Passes(training), training.normalize, training.scale
        self.config, self.task, self.seed = training.config, training.task, training.seed
        self.model = cut(training.model, of)[number].train()
        self.optimizer = _optimizer_of(training.optimizer, self.model, later=of - 1 - number)
        names = {id(parameter): name for name, parameter in self.model.named_parameters()}
        whole = penalized(training.model)
        l2 = self.config.l2 if isinstance(self.config.l2, tuple) else (self.config.l2,) * len(whole)
        self.penalized = {names[id(p)]: own for p, own in zip(whole, l2, strict=True) if id(p) in names}
        """The name of each penalized weight, with its l2."""

    def inputs(self, batch: int) -> Tensor:
        """Returns the inputs of the batch of that number, changed at random and normalized."""
        drawn = torch.Generator().manual_seed(seed_of(self.seed, batch))
        return self.normalize(augmented(self.passes.batch(batch).pixels, self.config, drawn))

    def outputs(self, inputs: Tensor, weights: Weights) -> Tensor:
        """Returns what the part makes of its inputs."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.precision == "bfloat16"):
            outputs: Tensor = functional_call(self.model, weights, (inputs,))
        return outputs

    def judge(self, outputs: Tensor, batch: int) -> Judged:
        """Returns the loss of the last stage's outputs, without the penalties."""
        task, targets = self.task, self.passes.batch(batch).targets
        error = task.loss(task.shaped(outputs.float(), targets), self.scale(targets))
        return Judged(error, len(targets), int(task.hits(outputs, targets)) if task.hits else 0)

    def penalty(self, weights: Weights) -> Tensor | float:
        """Returns what L1 and L2 add for the part's weights."""
        own = [weights.get(name, self.model.get_parameter(name)) for name in self.penalized]
        return penalty(own, self.config.l1, tuple(self.penalized.values())) if own else 0.0


class TrainingInStages(TrainingElsewhere):
    """A training whose model is cut into the stages of an asynchronous pipeline.

    An epoch ends when as many updates were made as a pass has batches; those that are on their way then are of the
    next epoch. The model here has the stages' weights after each epoch.

    Args:
        make: makes the training.
        stages: how many stages, and how they take part.

    Raises:
        ValueError: the training has a delay of its own or a remedy, or its model cannot be cut so.
    """

    noun = "stages"

    def __init__(self, make: Make, stages: Stages) -> None:
        super().__init__(make, "cpu")
        if self.inner.config.remedy != "none":
            raise ValueError(f"remedy must be none with stages, not {self.inner.config.remedy}")
        self.stages, self.parts = stages, cut(self.inner.model, stages.count)
        self._states: list[dict[str, Any]] = []
        """Those of the stages from which to go on."""
        self._group: list[StageGroup] = []

    @property
    def group(self) -> StageGroup:
        """Returns the stages, which start when they are first needed."""
        if not self._group:
            count = self.stages.count
            makes = [partial(SupervisedPart, number, count) for number in range(count)]
            self._group.append(StageGroup(makes, self.make, self.stages, seed=self.inner.seed, states=self._states))
        return self._group[0]

    def train_epoch(self) -> Epoch:
        """Trains for one more epoch, or until the loss diverges."""
        number = self.next_pass()
        first = self.passes.end(self.inner.epochs) - number
        rates = [self.inner.rate_at(step, number) for step in range(number)]
        pieces = [rates[begin : begin + CHECK_EVERY] for begin in range(0, number, CHECK_EVERY)]
        done: list[Update] = []
        for running in [self.group.start(len(piece), piece) for piece in pieces]:  # none waits for the one before
            by_stage = self.group.finish(running)
            for step, updates in enumerate(zip(*by_stage, strict=True), first + len(done)):
                self.rows += [Row(step, stage, one.age, step, step) for stage, one in enumerate(updates)]
            done += by_stage[-1]
            if not all(update.loss <= DIVERGED_LOSS for update in by_stage[-1]):
                self.close()  # what comes after that is worth nothing
                break
        else:
            for part, weights in zip(self.parts, self.group.weights(), strict=True):
                part.load_state_dict(weights)
        return self.ended(done, rates[len(done) - 1])

    def state_dict(self) -> dict[str, Any]:
        """Returns all that a training needs to go on bit for bit, what is on its way between stages included."""
        states = self._group[0].state() if self._group else self._states
        return self.inner.state_dict() | {"stages": states}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a state, before the first epoch."""
        self.inner.load_state_dict({name: value for name, value in state.items() if name != "stages"})
        self._states = list(state["stages"])

    def close(self) -> None:
        """Ends the stages."""
        for group in self._group:
            group.close()
        self._group.clear()


def _optimizer_of(queue: Any, part: torch.nn.Module, *, later: int) -> Optimizer:
    """Returns a training's optimizer without its queue, for the weights of a part alone.

    Args:
        queue: that of the whole model, which knows which of its weights are the first and the last ones.
        part: of the model.
        later: stages after this one, by which its gradients are late, in updates.
    """
    optimizer: Optimizer = queue.optimizer
    own = {id(parameter) for parameter in part.parameters()}
    for group in optimizer.param_groups:
        group["params"] = [parameter for parameter in group["params"] if id(parameter) in own]
        if isinstance(optimizer, ShiftedMomentumSGD):
            group["shift"] = later
    optimizer.param_groups[:] = [group for group in optimizer.param_groups if group["params"]]
    return optimizer
