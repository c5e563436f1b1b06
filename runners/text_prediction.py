"""How a refitted language model continues a text."""

import torch
from torch import Tensor

from tautune.records.errors import InputError
from tautune.runners.refitted import Refitted


def continue_text(refitted: Refitted, text: str, *, length: int, seed: int = 0, temperature: float = 1.0) -> str:
    """Returns what the model writes after a text: `length` tokens, each drawn from the model's probabilities.

    Args:
        text: is not empty; the model sees the last tokens of its window.
        seed: of the draws; the same seed continues the text the same way.
        temperature: by which logits are divided; 0 takes the most probable token each time.

    Raises:
        InputError: the text has a character that the model has no token for, or the outputs are not finite.
    """
    symbols, (window,) = refitted.kept["task"]["symbols"], refitted.kept["shape"]
    if not symbols and refitted.kept["classes"] > 256:
        raise InputError(
            "this model's tokens are no bytes, and its Text has no symbols: what they stand for is not known"
        )
    tokens = _encoded(text, symbols)
    draw = torch.Generator().manual_seed(seed)
    new: list[int] = []
    for _ in range(length):
        seen = torch.tensor([(tokens + new)[-window:]])
        new.append(_next(refitted, seen, draw, temperature))
    return _decoded(new, symbols)


def _next(refitted: Refitted, seen: Tensor, draw: torch.Generator, temperature: float) -> int:
    width = refitted.kept["shape"][0]
    padded = torch.nn.functional.pad(seen, (0, width - seen.shape[1]))  # behind it, where a causal model does not look
    logits = refitted.outputs([padded])[0, seen.shape[1] - 1]
    if not bool(logits.isfinite().all()):
        raise InputError(f"the outputs of {refitted.path} are not finite: its training diverged")
    if not temperature:
        return int(logits.argmax())
    return int(torch.multinomial((logits / temperature).softmax(dim=0), 1, generator=draw))


def _encoded(text: str, symbols: str) -> list[int]:
    if not text:
        raise InputError("--text must not be empty: the model continues it")
    if not symbols:
        return list(text.encode())
    unknown = next((character for character in text if character not in symbols), None)
    if unknown is not None:
        raise InputError(f"--text has {unknown!r}, and the model knows only {symbols!r}")
    return [symbols.index(character) for character in text]


def _decoded(tokens: list[int], symbols: str) -> str:
    return "".join(symbols[token] for token in tokens) if symbols else bytes(tokens).decode(errors="replace")
