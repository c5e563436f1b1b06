"""Networks of each kind that a user may have, small, with a loss and batches of their own."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


class Last(nn.Module):
    """An LSTM that answers at the end of its sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm, self.out = nn.Embedding(5, 6), nn.LSTM(6, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        states: Tensor = self.lstm(self.embedding(tokens))[0]
        answers: Tensor = self.out(states[:, -1])
        return answers


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 3))


def cnn() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 3))


def transformer() -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=16, dropout=0.1, activation="gelu", batch_first=True)
    return nn.Sequential(
        nn.Embedding(5, 8), nn.TransformerEncoder(layer, 1, enable_nested_tensor=False), nn.Flatten(), nn.Linear(48, 3)
    )


class Network(NamedTuple):
    make: Callable[[], nn.Module]
    inputs: Callable[[int], Tensor]


NETWORKS = {
    "mlp": Network(mlp, lambda n: torch.randn(n, 4)),
    "cnn": Network(cnn, lambda n: torch.randn(n, 1, 8, 8)),
    "lstm": Network(Last, lambda n: torch.randint(5, (n, 6))),
    "transformer": Network(transformer, lambda n: torch.randint(5, (n, 6))),
}


def network(name: str, *, dtype: torch.dtype = torch.float32) -> tuple[nn.Module, list[tuple[Tensor, Tensor]]]:
    """Returns a network in train mode and three batches of different sizes."""
    torch.manual_seed(0)
    model = NETWORKS[name].make().to(dtype)
    batches = []
    for size in (16, 16, 9):
        inputs = NETWORKS[name].inputs(size)
        batches.append((inputs.to(dtype) if inputs.is_floating_point() else inputs, torch.randint(3, (size,))))
    return model, batches


class Output:
    """What Hugging Face's models return."""

    def __init__(self, loss: Tensor, logits: Tensor) -> None:
        self.loss, self.logits = loss, logits


class HuggingFaceLike(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, input_ids: Tensor, labels: Tensor) -> Output:
        logits = self.inner(input_ids)
        return Output(cross_entropy(logits, labels), logits)


def train(model: nn.Module, batches: list[Any], optimizer: torch.optim.Optimizer, steps: int = 5) -> None:
    for step in range(steps):
        inputs, targets = batches[step % len(batches)]
        optimizer.zero_grad()
        cross_entropy(model(inputs), targets).backward()
        optimizer.step()
