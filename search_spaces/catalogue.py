"""What the built-in studies are, without importing them: their modules take seconds, because of torch and Ray.

So a mistyped name or value is reported at once. A test compares each entry with its study.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tautune.search_spaces.names import check_name
from tautune.trainables.supervised.hyperparameters import (
    NETWORKS,
    TRAINING_NAMES,
    WINDOW,
    check_network_values,
    check_per_layer,
    check_training_value,
    of_training,
    per_layer,
)

MEASURED: tuple[str, ...] = ("sweep", "grid", "probe", "edge")
"""The commands of a StabilityStudy."""
TUNED: tuple[str, ...] = ("tune",)
"""The commands of a TuningStudy."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A built-in study."""

    module: str
    """The module of `tautune.search_spaces` whose STUDY it is."""
    commands: tuple[str, ...]
    """The commands that take it."""
    description: str
    examples: int | None = None
    """Examples of a full batch, of a StabilityStudy."""
    data: str | None = None
    """The name of a TuningStudy's data set, None where the study has a function for them; this and what follows is None
    or empty for a StabilityStudy."""
    model: str | None = None
    """The name of its network."""
    search: str | None = None
    """The search it uses by default."""
    scheduler: str | None = None
    """The scheduler it uses by default."""
    ranges: tuple[str, ...] = ()
    """Its hyperparameters that are searched in a range."""
    choices: tuple[str, ...] = ()
    """Its hyperparameters that are searched among some values."""


CATALOGUE: dict[str, Entry] = {
    "digits": Entry(
        module="digits",
        commands=MEASURED,
        description="MLP 64-32-10 (tanh) on scikit-learn's digits, cross-entropy + L2 1e-3",
        examples=1797,
    ),
    "digits_squared": Entry(
        module="digits_squared",
        commands=MEASURED,
        description="MLP 64-32-32-10 (tanh) on 600 of scikit-learn's digits, squared loss",
        examples=600,
    ),
    "quadratic": Entry(
        module="quadratic",
        commands=MEASURED,
        description="linear least squares of known curvature: the closed-form oracle",
        examples=40,
    ),
    "diabetes": Entry(
        module="diabetes",
        commands=TUNED,
        description="MLP on scikit-learn's diabetes data, a regression",
        model="mlp",
        search="hyperopt",
        scheduler="none",
        ranges=("learning_rate", "dropout", "l2"),
        choices=("batch_size", "layers", "units"),
    ),
    "python_bytes": Entry(
        module="python_bytes",
        commands=TUNED,
        description="transformer that continues the sources of Python's standard library, byte by byte",
        model="causal_transformer",
        search="hyperopt",
        scheduler="asha",
        ranges=("learning_rate", "warmup"),
        choices=("batch_size", "window", "width", "layers", "heads"),
    ),
    "sunspots": Entry(
        module="sunspots",
        commands=TUNED,
        description="LSTM on sunspot numbers by quarter, three years ahead",
        model="lstm",
        search="hyperopt",
        scheduler="median",
        ranges=("learning_rate", "dropout", "l2"),
        choices=("batch_size", "window", "highway", "units"),
    ),
    "wordnet": Entry(
        module="wordnet",
        commands=TUNED,
        description="transformer that sorts WordNet's definitions of nouns into 24 fields of meaning",
        model="transformer",
        search="hyperopt",
        scheduler="asha",
        ranges=("learning_rate", "dropout"),
        choices=("batch_size", "width", "layers", "heads"),
    ),
    "digits_mlp": Entry(
        module="digits_mlp",
        commands=TUNED,
        description="MLP on scikit-learn's digits",
        data="digits",
        model="mlp",
        search="hyperopt",
        scheduler="asha",
        ranges=("learning_rate", "momentum", "dropout", "l2"),
        choices=("optimizer", "batch_size", "layers", "units_1", "units_2", "units_3"),
    ),
    "cifar10_vgg11": Entry(
        module="cifar10_vgg11",
        commands=TUNED,
        description="delay × momentum × normalized learning rate, VGG-11 on CIFAR-10, for a GPU",
        data="cifar10",
        model="vgg11",
        search="grid",
        scheduler="none",
        choices=("delay", "optimizer", "normalized_rate"),
    ),
    "fashion_mnist_cnn": Entry(
        module="fashion_mnist_cnn",
        commands=TUNED,
        description="CNN on Fashion-MNIST",
        data="fashion_mnist",
        model="cnn",
        search="hyperopt",
        scheduler="asha",
        ranges=("learning_rate", "momentum", "dropout", "l2"),
        choices=("batch_size", "units"),
    ),
    "fashion_mnist_cnn_grid": Entry(
        module="fashion_mnist_cnn_grid",
        commands=TUNED,
        description="the 243 CNNs of mnist_cnn_grid on Fashion-MNIST",
        data="fashion_mnist",
        model="cnn",
        search="grid",
        scheduler="none",
        choices=("learning_rate", "epochs", "batch_size", "layers", "l2"),
    ),
    "fashion_mnist_grid": Entry(
        module="fashion_mnist_grid",
        commands=TUNED,
        description="learning rate × mini-batch, 3 × 3, a CNN on Fashion-MNIST",
        data="fashion_mnist",
        model="cnn",
        search="grid",
        scheduler="none",
        choices=("learning_rate", "batch_size"),
    ),
    "fashion_mnist_pbt": Entry(
        module="fashion_mnist_pbt",
        commands=TUNED,
        description="population-based training of a CNN on Fashion-MNIST",
        data="fashion_mnist",
        model="cnn",
        search="random",
        scheduler="pbt",
        ranges=("learning_rate", "momentum", "l2"),
    ),
    "mnist_cnn_grid": Entry(
        module="mnist_cnn_grid",
        commands=TUNED,
        description="learning rate × epochs × mini-batch × layers × L2, 243 CNNs on MNIST",
        data="mnist",
        model="cnn",
        search="grid",
        scheduler="none",
        choices=("learning_rate", "epochs", "batch_size", "layers", "l2"),
    ),
    "optimizers": Entry(
        module="optimizers",
        commands=TUNED,
        description="thirteen optimizers × five learning rates, MLP on scikit-learn's digits",
        data="digits",
        model="mlp",
        search="grid",
        scheduler="none",
        choices=("optimizer", "learning_rate"),
    ),
}


def check_study(name: str, command: str) -> None:
    """Raises ValueError if the command cannot take a study of that name: a built-in one, or a file NAME.py.

    What a file holds is checked when it is loaded.
    """
    if name.endswith(".py") or name not in CATALOGUE and Path(name).exists():
        _check_file(Path(name))
        return
    fitting = [known for known, entry in CATALOGUE.items() if command in entry.commands]
    if name in CATALOGUE and name not in fitting:
        *others, last = (f"`tautune {other}`" for other in CATALOGUE[name].commands)
        meant = f"{', '.join(others)} and {last}" if others else last
        raise ValueError(f"study {name} is for {meant}; for `tautune {command}` there are {', '.join(sorted(fitting))}")
    check_name("study", name, fitting)


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a study file NAME.py")
    if path.suffix != ".py":
        raise ValueError(f"{path} is no Python file; a study is in a file NAME.py, or one of `tautune studies`")
    if not path.is_file():
        raise ValueError(f"there is no study file {path}")


def check_fixed(name: str, values: Mapping[str, Any]) -> None:
    """Raises ValueError if `--set` cannot fix these hyperparameters in the built-in TuningStudy of that name."""
    entry = CATALOGUE[name]
    assert entry.model is not None
    own = NETWORKS[entry.model]
    check_hyperparameters(own, values)
    for hyperparameter, value in values.items():
        if training := of_training(hyperparameter):
            check_training_value(training, value)
        else:
            check_network_values(**{per_layer(hyperparameter, own)[0]: value})
    layers, widths = values.get("layers", 1), [n for n in entry.choices if per_layer(n, own)[1]]
    if widths and not 1 <= layers <= len(widths) and "units" not in values:
        raise ValueError(f"units must be {layers} widths for {layers} layers, not {len(widths)}")


def check_hyperparameters(own: tuple[str, ...], names: Mapping[str, Any]) -> None:
    """Raises ValueError for names that are neither the training's nor among the model's `own`."""
    check_per_layer(names)
    if "**" not in own:
        for name in names:
            check_name("hyperparameter", of_training(name) or per_layer(name, own)[0], (*TRAINING_NAMES, WINDOW, *own))
