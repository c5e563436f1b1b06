"""Which study a search by gradients can take, as far as its space tells."""

from ray.tune.search.sample import Domain

from tautune.records.errors import InputError
from tautune.search_spaces.loop_study import LoopStudy
from tautune.search_spaces.space import domain_of
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.supervised.hyperparameters import UNROLLED, TrainingConfig


def check_gradient(study: TuningStudy | LoopStudy) -> None:
    """Raises InputError unless the study's training is one that can be unrolled."""
    if isinstance(study, LoopStudy):
        raise InputError(
            f"search gradient differentiates tautune's own training, and {study.name} is a loop of its own"
        )
    for name, known in {"optimizer": UNROLLED, "precision": ("float32",), "remedy": ("none",)}.items():
        entry = domain_of(study.space.get(name, getattr(TrainingConfig(), name)))
        if entry not in known:
            shown = "searched" if isinstance(entry, Domain) else entry
            raise InputError(
                f"search gradient needs {name} {' or '.join(known)}, and it is {shown}; use --set {name}={known[-1]}"
            )
