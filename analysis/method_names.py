"""What searches, schedulers and optimizers are called in sentences and titles; options have their short names."""

from collections.abc import Sequence

IN_WORDS = {
    "grid": "grid search",
    "random": "random search",
    "hyperopt": "HyperOpt",
    "optuna-tpe": "Optuna's TPE",
    "gp": "the Gaussian process",
    "cmaes": "CMA-ES",
    "nsga2": "NSGA-II",
    "pso": "particle swarm",
    "de": "differential evolution",
    "gradient": "the search by gradients",
    "asha": "ASHA",
    "hyperband": "HyperBand",
    "median": "the median rule",
    "pbt": "PBT",
    "pb2": "PB2",
    "sgd": "SGD",
    "dampened-momentum": "dampened momentum",
    "nesterov": "Nesterov's momentum",
    "shifted-momentum": "shifted momentum",
    "spike-compensation": "spike compensation",
    "adam": "Adam",
    "adamw": "AdamW",
    "nadam": "NAdam",
    "rmsprop": "RMSProp",
}


def in_words(name: str) -> str:
    """Returns what a search, a scheduler or an optimizer is called; a name that is not known is its own."""
    return IN_WORDS.get(name, name)


def listed(words: Sequence[str]) -> str:
    """Returns words as a sentence has them: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
