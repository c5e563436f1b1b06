"""An n-gram model of bytes with interpolated Kneser-Ney smoothing: what a language model of bytes has to surpass.

python -m benchmarks.peers.byte_ngrams RESULTS.json

Chen & Goodman (1999), §2.7, with one discount for each order, D = n₁ / (n₁ + 2 n₂), where nₖ n-grams occur k times.
Orders below the highest count the bytes that an n-gram follows, and not how often it occurs; order 0 is uniform.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tautune.search_spaces.real_data.standard_library import END_OF_FILE, texts

Integers = NDArray[np.int64]
BYTES = 256


class ByteNgrams:
    """The model of `order` bytes: the probability of a byte after the `order` - 1 before it."""

    def __init__(self, text: bytes, order: int = 4) -> None:
        self.order = order
        codes, counts = np.unique(_codes(text, order), return_counts=True)
        self.levels = [_Level(codes, counts)]
        for n in range(order - 1, 0, -1):
            codes, counts = np.unique(codes % BYTES**n, return_counts=True)  # distinct (n + 1)-grams that end so
            self.levels.insert(0, _Level(codes, counts))

    def probabilities(self, text: bytes) -> NDArray[np.float64]:
        """Returns the probability of each byte [N] of the text, which begins where a file does."""
        found = np.full(len(text), 1 / BYTES)
        codes = _codes(text, self.order)
        for n, level in enumerate(self.levels, 1):
            found = level.interpolated(codes % BYTES**n, found)
        return found

    def bits_per_byte(self, text: bytes) -> float:
        """Returns the mean of -log₂ of the probabilities."""
        return float(-np.log2(self.probabilities(text)).mean())


class _Level:
    """The n-grams of one n: code → count, and for their contexts the sum of the counts and how many there are."""

    def __init__(self, codes: Integers, counts: Integers) -> None:
        self.codes, self.counts = codes, counts
        self.contexts, first, self.followers = np.unique(codes // BYTES, return_index=True, return_counts=True)
        self.sums = np.add.reduceat(counts, first)
        once, twice = (int((counts == k).sum()) for k in (1, 2))
        self.discount = once / (once + 2 * twice) if once else 0.5

    def interpolated(self, codes: Integers, lower: NDArray[np.float64]) -> NDArray[np.float64]:
        counts = _looked_up(codes, self.codes, self.counts)
        sums, followers = (_looked_up(codes // BYTES, self.contexts, values) for values in (self.sums, self.followers))
        seen = np.maximum(sums, 1)
        own = np.maximum(counts - self.discount, 0) / seen + self.discount * followers / seen * lower
        return np.where(sums > 0, own, lower)


def _codes(text: bytes, n: int) -> Integers:
    """Returns at each position the n-gram that ends there, as a number of n digits to base 256."""
    padded = np.frombuffer(END_OF_FILE * (n - 1) + text, np.uint8).astype(np.int64)
    codes = np.zeros(len(text), np.int64)
    for k in range(n):
        codes = codes * BYTES + padded[k : k + len(text)]
    return codes


def _looked_up(keys: Integers, known: Integers, values: Integers) -> Integers:
    """Returns the value of each key, 0 for those that are not known; `known` ascends."""
    places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[places] == keys, values[places], 0)


def figures(orders: tuple[int, ...] = (3, 4, 5, 6)) -> dict[str, Any]:
    """Returns bits per byte for each order: of the validation text, and of the test after training on both others."""
    parts = texts()
    both = parts["training"] + parts["validation"]
    return {
        str(order): {
            "validation_bits_per_byte": ByteNgrams(parts["training"], order).bits_per_byte(parts["validation"]),
            "test_bits_per_byte": ByteNgrams(both, order).bits_per_byte(parts["test"]),
        }
        for order in orders
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(figures()))
