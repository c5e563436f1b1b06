"""The n-gram model is the textbook's: probabilities that sum to one, and those of a slow and obvious twin."""

import random
from collections import Counter

import numpy as np
import pytest

from benchmarks.peers.byte_ngrams import ByteNgrams

RANDOM = random.Random(0)
TEXT = bytes(RANDOM.choices(b"abc\n", (5, 3, 2, 1), k=400)) + b"the cat sat on the mat\n" * 4
OTHER = b"the mat sat\xffon a cat\ncab"


def twin(text: bytes, order: int, context: bytes, byte: int) -> float:
    """Interpolated Kneser-Ney by its definition, with dictionaries; the context is as long as the order wants."""
    padded = b"\0" * (order - 1) + text
    counts = Counter(padded[i : i + order] for i in range(len(text)))
    levels = [counts]
    for _ in range(order - 1):
        levels.insert(0, Counter(gram[1:] for gram in levels[0]))
    probability = 1 / 256
    for n, level in enumerate(levels, 1):
        once, twice = (sum(count == k for count in level.values()) for k in (1, 2))
        discount = once / (once + 2 * twice) if once else 0.5
        history = context[len(context) - n + 1 :]
        following = {gram[-1]: count for gram, count in level.items() if gram[:-1] == history}
        if total := sum(following.values()):
            own = max(following.get(byte, 0) - discount, 0) / total
            probability = own + discount * len(following) / total * probability
    return probability


@pytest.mark.parametrize("order", [1, 2, 4])
def test_every_probability_is_the_twins(order: int) -> None:
    found = ByteNgrams(TEXT, order).probabilities(OTHER)
    padded = b"\0" * (order - 1) + OTHER
    expected = [twin(TEXT, order, padded[i : i + order - 1], OTHER[i]) for i in range(len(OTHER))]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("context", [b"the", b"ca\xff", b"\0\0\0", b"zzz"])
def test_the_probabilities_of_all_bytes_sum_to_one(context: bytes) -> None:
    model = ByteNgrams(TEXT, 4)
    total = sum(model.probabilities(context + bytes([byte]))[-1] for byte in range(256))
    assert total == pytest.approx(1, abs=1e-12)


def test_bits_are_those_of_a_uniform_choice_where_nothing_is_to_be_learned() -> None:
    text = bytes(RANDOM.choices(b"0123", k=20_000))
    assert ByteNgrams(text, 3).bits_per_byte(bytes(RANDOM.choices(b"0123", k=5_000))) == pytest.approx(2, abs=0.02)
