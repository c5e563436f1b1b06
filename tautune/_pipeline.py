"""`tautune.AsynchronousPipeline`: trains a model of the user's in stages, as Ray actors, whose weights are late."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from tautune.cluster.session.session import ray_session

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from tautune.trainables.asynchronous.batches import Batches


class AsynchronousPipeline:
    """Trains a model whose stages are Ray actors, on any hosts, and never wait for the pipeline to empty.

        make = partial(torch.optim.SGD, lr=0.1, momentum=0.9)
        with tautune.AsynchronousPipeline(model, loss, batches, make, stages=4) as pipeline:
            losses = pipeline.run(updates=100)

    It is 1F1B without a flush: a stage with d later stages works with weights that are d updates old. With the weights
    stashed it computes what `WeightStashing` with `pipeline_delays` does, bit for bit, and a stage of delay d keeps d+1
    copies of its own weights. Without, backward passes have newer weights than the forward passes of the same batch,
    and compute the activations anew. `model` is at the newest weights after each `run`.

    Args:
        model: an `nn.Sequential`; or any model, of which `stages` are the parts. What is in eval mode stays there.
        loss: a function of the last stage's output and a batch's targets that returns a scalar.
        batches: pairs (inputs, targets) by their number, in a sequence or an iterable, as `AsynchronousTraining` has
            them. The first stage takes the inputs, and the last one the targets.
        optimizer: makes the optimizer of a stage from its parameters.
        stages: how many, or the modules that are the stages, each of which takes the output of the one before.
        stashing: whether the backward pass has the weights of the forward pass.
        cpus_per_stage: CPU cores that each stage takes; stages compute on the CPU alone.
        seed: of dropout.

    Raises:
        ValueError: the model cannot be cut so, or the cluster cannot hold the stages.
    """

    def __init__(
        self,
        model: "nn.Module",
        loss: "Callable[[Tensor, Tensor], Tensor]",
        batches: "Batches",
        optimizer: "Callable[[Any], Optimizer]",
        *,
        stages: Any,
        stashing: bool = True,
        cpus_per_stage: float = 1.0,
        seed: int = 0,
    ) -> None:
        import ray

        from tautune.trainables.asynchronous.cutting import cut
        from tautune.trainables.asynchronous.part import OwnPart
        from tautune.trainables.asynchronous.settings import Stages, missing
        from tautune.trainables.asynchronous.stage_group import StageGroup

        self._parts = cut(model, stages)
        asked = Stages(count=len(self._parts), stashing=stashing, cpus=cpus_per_stage)
        self.ages: list[list[int]] = [[] for _ in self._parts]
        """How many updates old each stage's weights were, update after update."""
        with ExitStack() as until_made:
            until_made.enter_context(ray_session())
            if lacking := missing(asked, ray.cluster_resources().get("CPU", 0.0), 0.0):
                raise ValueError(lacking)
            makes = [partial(OwnPart, part, optimizer) for part in self._parts]
            self._group = StageGroup(makes, (batches, loss), asked, seed=seed)
            until_made.callback(self._group.close)
            self._stack = until_made.pop_all()

    def run(self, updates: int) -> list[float]:
        """Makes so many updates of every stage, and returns the loss of each batch.

        Raises:
            RuntimeError: a stage failed, or its host was lost.
        """
        done = self._group.finish(self._group.start(updates))
        for part, weights in zip(self._parts, self._group.weights(), strict=True):
            part.load_state_dict(weights)
        for ages, reported in zip(self.ages, done, strict=True):
            ages += [update.age for update in reported]
        return [update.loss for update in done[-1]]

    def close(self) -> None:
        """Ends the stages, and the Ray that was started for them."""
        self._stack.close()

    def __enter__(self) -> "AsynchronousPipeline":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
