"""Texts and a network of your own: `tautune tune examples/text.py` tells by a docstring which part of SciPy it is from.

Token ids may come from any tokenizer; here a word's token is its CRC-32, so that none has to be made.
"""

import inspect
import re
from importlib import import_module
from zlib import crc32

import torch
from ray import tune
from sklearn.model_selection import train_test_split
from torch import nn

from tautune import Data, TuningStudy

PARTS = ("interpolate", "linalg", "ndimage", "optimize", "signal", "sparse", "stats")
VOCABULARY, LENGTH = 4096, 24


def tokens(text: str) -> list[int]:
    ids = [1 + crc32(word.encode()) % (VOCABULARY - 1) for word in re.findall(r"\w+", text.lower())][:LENGTH]
    return ids + [0] * (LENGTH - len(ids))  # 0 fills up


def data() -> Data:
    """Token ids [N, LENGTH] and classes [N]. A fifth, always the same, is kept for the one test at the end."""
    texts: dict[str, int] = {}
    for number, part in enumerate(PARTS):
        members = vars(import_module(f"scipy.{part}")).values()
        texts |= {inspect.getdoc(member) or "": number for member in members if callable(member)}
    texts.pop("", None)
    ids, classes = torch.tensor([tokens(text) for text in texts]), torch.tensor(list(texts.values()))
    training, test, own, tested = train_test_split(ids, classes, test_size=0.2, stratify=classes, random_state=0)
    return Data(training=(training, own), test=(test, tested), class_names=PARTS, vocabulary=VOCABULARY)


def model(shape: tuple[int, ...], outputs: int, *, vocabulary: int, width: int, dropout: float) -> nn.Module:
    """The data tell `vocabulary`, and the space the hyperparameters behind it."""
    words = nn.EmbeddingBag(vocabulary, width, mode="mean", padding_idx=0)
    return nn.Sequential(words, nn.Dropout(dropout), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs))


STUDY = TuningStudy(
    name="text",
    description="a bag of embedded words on the docstrings of SciPy",
    data=data,
    model=model,
    space={
        "learning_rate": tune.loguniform(1e-3, 3e-2),
        "width": tune.choice([16, 32, 64]),
        "dropout": tune.uniform(0.0, 0.5),
    },
    trials=8,
    max_epochs=9,
)
