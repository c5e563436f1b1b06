"""The studies by name, one small file each."""

from pathlib import Path

from tautune.search_spaces import (
    digits,
    digits_mlp,
    fashion_mnist_cnn,
    fashion_mnist_cnn_grid,
    fashion_mnist_grid,
    fashion_mnist_pbt,
    mnist_cnn_grid,
    optimizers,
    optimizers_quadratic,
    quadratic,
)
from tautune.search_spaces.names import check_name
from tautune.search_spaces.path_study import PathStudy
from tautune.search_spaces.stability_study import StabilityStudy
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.search_spaces.user_study import load_user_study

STABILITY: dict[str, StabilityStudy] = {study.name: study for study in (digits.STUDY, quadratic.STUDY)}
TUNING: dict[str, TuningStudy] = {
    study.name: study
    for study in (
        digits_mlp.STUDY,
        fashion_mnist_cnn.STUDY,
        fashion_mnist_cnn_grid.STUDY,
        fashion_mnist_grid.STUDY,
        fashion_mnist_pbt.STUDY,
        mnist_cnn_grid.STUDY,
        optimizers.STUDY,
    )
}
PATHS: dict[str, PathStudy] = {study.name: study for study in (optimizers_quadratic.STUDY,)}


def find(name: str) -> StabilityStudy:
    """The study for `tautune sweep`. Raises ValueError, with the nearest names, if there is none."""
    check_name("study", name, STABILITY)
    return STABILITY[name]


def find_tuning(name: str) -> TuningStudy:
    """The study for `tautune tune`: one of ours, or the one in a file NAME.py.

    Raises:
        ValueError: there is none; or the file is not a study.
    """
    if name.endswith(".py"):
        return load_user_study(Path(name))
    check_name("study", name, TUNING | PATHS)
    if name in PATHS:
        raise ValueError(f"study {name} compares optimizers on a function: it has no space to search")
    return TUNING[name]
