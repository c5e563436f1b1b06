"""TF-IDF and a logistic regression, as scikit-learn's documentation has it, on the texts of the study `wordnet`.

python -m benchmarks.peers.bag_of_words RESULTS.json

Words and pairs of words are counted, with the logarithm of the counts. The strength of the penalty is chosen on a fifth
of the training texts; the model is then fitted to all of them and measured on the test once.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from tautune.search_spaces.real_data.wordnet import Texts, texts
from tautune.trainables.supervised.splits import splits

STRENGTHS = (3.0, 10.0, 30.0)
"""C of the logistic regression: the inverse of its penalty."""


def fitted(training: Texts, strength: float) -> Pipeline:
    """Returns the two steps, fitted."""
    counts = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    model: Pipeline = make_pipeline(counts, LogisticRegression(C=strength, max_iter=300, tol=1e-3))
    return model.fit(*zip(*training, strict=True))


def figures() -> dict[str, Any]:
    """Returns the accuracies on validation and test."""
    begun = time.perf_counter()
    training, test = texts()
    (numbers, held_out), *_ = splits(torch.tensor([number for _, number in training]), share=0.2)
    part, validation = ([training[i] for i in which.tolist()] for which in (numbers, held_out))
    accuracies = {
        strength: float(fitted(part, strength).score(*zip(*validation, strict=True))) for strength in STRENGTHS
    }
    best = max(accuracies, key=lambda strength: accuracies[strength])
    return {
        "validation_accuracies": accuracies,
        "strength": best,
        "validation_accuracy": accuracies[best],
        "test_accuracy": float(fitted(training, best).score(*zip(*test, strict=True))),
        "seconds": time.perf_counter() - begun,
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(figures()))
