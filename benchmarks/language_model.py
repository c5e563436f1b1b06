"""A causal transformer, which is probed: its size is what a benchmark chooses."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


class LanguageModel(nn.Module):
    """Predicts the next of some tokens from those before it; ten million parameters if nothing else is asked for."""

    def __init__(
        self, width: int = 320, layers: int = 6, *, heads: int = 5, tokens: int = 4096, window: int = 64
    ) -> None:
        super().__init__()
        self.embedding, self.places = nn.Embedding(tokens, width), nn.Parameter(0.02 * torch.randn(window, width))
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.out = nn.Linear(width, tokens)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(window))

    def forward(self, ids: Tensor) -> Tensor:
        seen = self.layers(self.embedding(ids) + self.places, mask=self.mask, is_causal=True)
        answers: Tensor = self.out(seen)
        return answers


def next_token(outputs: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(outputs.flatten(0, 1), targets.flatten())


def text(batches: int, examples: int, *, tokens: int = 4096, window: int = 64) -> list[tuple[Tensor, Tensor]]:
    """Returns batches of random tokens, each with those that follow."""
    return [(ids[:, :-1], ids[:, 1:]) for ids in torch.randint(tokens, (batches, examples, window + 1))]
