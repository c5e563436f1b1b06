"""A linear regression with an L2 penalty on the study `diabetes`, as scikit-learn's documentation has it.

python -m benchmarks.peers.ridge_regression RESULTS.json
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tautune.search_spaces.diabetes import data

FOLDS = 5
PENALTIES = np.logspace(-2, 3, 26)


def figures(seed: int = 0) -> dict[str, Any]:
    """Returns the root mean squared error over folds of the training part, and that of the test part."""
    found = data()
    (x, y), (x_test, y_test) = ((part.pixels.numpy(), part.targets.numpy()) for part in (found.training, found.test))
    model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    scores = -cross_val_score(model, x, y, cv=folds, scoring="neg_root_mean_squared_error")
    test = root_mean_squared_error(y_test, model.fit(x, y).predict(x_test))
    return {"validation_rmse": float(scores.mean()), "test_rmse": float(test), "folds": scores.tolist()}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(figures()))
