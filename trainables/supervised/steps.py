"""Examples that are cut out of a sequence: windows of a series with what follows, blocks of a text.

Shapes: T steps, C channels of a series, h the horizon, w the window.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from tautune.trainables.supervised.datasets import Images
from tautune.trainables.supervised.normalization import Normalization


@dataclass(frozen=True)
class Steps:
    """The steps of a sequence. An example is numbered by the step with which its inputs begin."""

    values: Tensor
    """float32 [T, C] of a series, int64 [T] of a text."""
    window: int
    """w: steps that the model sees."""
    horizon: int
    """h: steps to forecast; 0 for a text, whose targets are the tokens that follow each of its inputs."""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Returns the shape of one input: (w, C), or (w,) of a text."""
        return (self.window, *self.values.shape[1:])

    @property
    def reach(self) -> int:
        """Returns the steps that an example takes, its targets included."""
        return self.window + (self.horizon or 1)

    def cut(self, window: int | None) -> "Steps":
        """Returns the same steps with another window."""
        return replace(self, window=window or self.window)

    def parts(self, batches: Any) -> Any:
        """Yields the examples of each batch of numbers."""
        windows = self.values.unfold(0, self.reach, 1)
        for batch in batches:
            steps = windows[batch.to(self.values.device)].movedim(-1, 1)
            if self.horizon:
                yield Images(steps[:, : self.window], steps[:, self.window :])
            else:
                yield Images(steps[:, :-1], steps[:, 1:])

    def to_train(self, steps: Tensor, moved: int = 0) -> Tensor:
        """Returns the numbers of the examples that lie within some contiguous steps.

        Every window of a series, but of a text only blocks side by side: a pass sees each token once.

        Args:
            moved: steps by which the blocks of a text begin later.
        """
        first, last = int(steps[0]), int(steps[-1]) + 1 - self.reach
        return torch.arange(first + moved, last + 1, 1 if self.horizon else self.window)

    def room(self, steps: Tensor) -> int:
        """Returns by how many steps the blocks of a text may begin later: any number below."""
        return 1 if self.horizon else max(1, min(self.window, len(steps) - self.reach + 1))

    def to_validate(self, steps: Tensor) -> Tensor:
        """Returns the numbers of the examples whose targets lie within some contiguous steps.

        A forecast sees what came before them: the forecasts are the same ones for every window.
        """
        if not len(steps) or not self.horizon:
            return self.to_train(steps) if len(steps) else steps
        return torch.arange(int(steps[0]), int(steps[-1]) + 2 - self.horizon) - self.window

    def normalization(self, steps: Tensor, *, wanted: bool) -> Normalization:
        """Returns that of the inputs, by some steps."""
        return replace(Normalization.of(self.values[steps], wanted=wanted and bool(self.horizon)), last=True)

    def scale(self, steps: Tensor) -> Normalization:
        """Returns that of the targets, by some steps."""
        return self.normalization(steps, wanted=True)

    def to(self, device: torch.device | str) -> "Steps":
        """Returns the same steps on another device."""
        return replace(self, values=self.values.to(device))

    def check_division(self, training: Tensor, validation: Tensor) -> None:
        """Raises ValueError if there is no example in one of the two."""
        if len(training) < self.reach:
            raise ValueError(
                f"window must be at most {max(0, len(training) - self.reach + self.window)}, not {self.window}: "
                f"there are {len(training)} steps to train on, and an example takes {self.reach}, its targets included"
            )
        needed = self.horizon or self.reach
        if len(validation) < needed:
            raise ValueError(f"there are {len(validation)} steps to validate, and an example takes {needed}")


def check_tokens(name: str, tokens: Tensor, vocabulary: int | None) -> None:
    """Raises ValueError if an id is beyond the vocabulary."""
    if vocabulary is None or not len(tokens):
        return
    lowest, highest = int(tokens.min()), int(tokens.max())
    if lowest < 0 or highest >= vocabulary:
        wrong = lowest if lowest < 0 else highest
        raise ValueError(f"{name} must have token ids from 0 to {vocabulary - 1}, the vocabulary's; there is {wrong}")
