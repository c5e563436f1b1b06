"""The LSTM and the transformers see what they must see, and nothing else."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tautune.trainables.supervised.models import build
from tautune.trainables.supervised.sequence_models import Lstm, causal_transformer, lstm, transformer

SMALL: dict[str, Any] = {"layers": 2, "width": 8, "heads": 2}


@pytest.mark.parametrize(
    ("model", "shape", "settings", "inputs", "outputs"),
    [
        (lstm, (6,), {}, torch.randn(4, 6), (4, 5)),
        (lstm, (6, 3), {"layers": 2, "units": 7, "dropout": 0.5, "highway": 4}, torch.randn(4, 6, 3), (4, 5)),
        (transformer, (6,), {"vocabulary": 9, "dropout": 0.1, **SMALL}, torch.arange(24).view(4, 6) % 9, (4, 5)),
        (causal_transformer, (6,), {"dropout": 0.1, **SMALL}, torch.arange(24).view(4, 6) % 5, (4, 6, 5)),
    ],
)
def test_sequences_in_outputs_out_and_every_weight_learns(
    model: Any, shape: tuple[int, ...], settings: dict[str, Any], inputs: Tensor, outputs: tuple[int, ...]
) -> None:
    network = model(shape, 5, **settings)
    found = network(inputs)
    assert tuple(found.shape) == outputs
    found.square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in network.parameters())


def test_a_lstms_highway_is_a_linear_autoregression_on_the_last_steps() -> None:
    series = torch.randn(5, 6)
    network = lstm((6,), 3, highway=2)
    assert isinstance(network, Lstm)
    assert network.highway is not None
    nn.init.zeros_(network.head.weight)
    nn.init.zeros_(network.head.bias)
    torch.testing.assert_close(network(series), series[:, -2:] @ network.highway.weight.T)


@pytest.mark.parametrize("training", [True, False])
def test_no_position_of_a_causal_transformer_sees_what_follows(training: bool) -> None:
    network = causal_transformer((7,), 11, **SMALL).train(training)
    tokens = torch.arange(14).view(2, 7) % 11
    with torch.no_grad():
        whole = network(tokens)
        for end in (1, 4):
            torch.testing.assert_close(network(tokens[:, :end]), whole[:, :end])
    other = tokens.clone()
    other[:, 0] += 1
    assert (network(other) != whole).any(dim=2).all(), "and each sees the first token"


@pytest.mark.parametrize("training", [True, False])
def test_padding_changes_nothing_and_order_does(training: bool) -> None:
    network = transformer((7,), 3, vocabulary=11, **SMALL).train(training)
    tokens = torch.tensor([[4, 5, 6, 0, 0, 0, 0], [7, 0, 0, 0, 0, 0, 0]])
    with torch.no_grad():
        whole = network(tokens)
        torch.testing.assert_close(network(tokens[:1, :3]), whole[:1])
        torch.testing.assert_close(network(tokens[1:, :1]), whole[1:])
        assert not torch.allclose(network(tokens[:1, [1, 0, 2]]), whole[:1])
        assert bool(network(torch.zeros(1, 7, dtype=torch.int64)).isfinite().all())  # a text of nothing


def test_the_blocks_begin_with_weights_of_their_own() -> None:
    first, second = causal_transformer((4,), 5, **SMALL).blocks  # type: ignore[misc]
    assert not torch.equal(first.linear1.weight, second.linear1.weight)


@pytest.mark.parametrize(
    ("name", "shape", "settings", "message"),
    [
        ("lstm", (1, 8, 8), {}, r"an lstm takes windows of shape \(steps,\) or \(steps, features\), not \(1, 8, 8\)"),
        ("lstm", (8,), {"highway": 9}, "highway must be at most the window's 8 steps, not 9"),
        ("lstm", (8,), {"layers": 0}, "an lstm has at least one layer"),
        ("lstm", (8,), {"units_1": 3, "units_2": 3}, "units is one number; not 1 layers"),
        ("transformer", (8, 2), {"vocabulary": 9}, r"a transformer takes token ids of shape \(tokens,\), not \(8, 2\)"),
        ("transformer", (8,), {"vocabulary": 9, "width": 10}, "width must be a multiple of the 4 heads, not 10"),
        ("causal_transformer", (8,), {"width": 0}, "width must be an integer of at least 1, not 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(
    name: str, shape: tuple[int, ...], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build(name, shape, 3, settings)


def test_a_text_beyond_the_context_is_told() -> None:
    with pytest.raises(ValueError, match="there are 5 tokens, more than the context of 4"):
        causal_transformer((4,), 9, **SMALL)(torch.ones(1, 5, dtype=torch.int64))
