"""A learning rate that means the same at every delay, so that one search serves them all."""

from typing import Any

from tautune.search_spaces.space import Space


def normalized(ρ: Any, *, sharpness: float = 1.0) -> Space:
    """Returns the part of a space in which the learning rate is searched as ρ = η / η_max(τ).

        space={"optimizer": "adamw", "delay": 8, **normalized(tune.loguniform(0.03, 3), sharpness=70)}

    η_max is what theory lets the trial's optimizer use, with its momentum, remedy and delay, at that sharpness: its
    threshold, but at most plain SGD's 2, at unit gain. A good ρ at one delay is a good one at another, and a search
    over several delays at once learns from all of them.

    Args:
        ρ: a domain, such as `tune.loguniform(0.03, 3)`, or a value.
        sharpness: λ of the loss, for Adam and its kin of the preconditioned one; if it is not known, ρ is in its unit.
    """
    return {"normalized_rate": ρ, "sharpness": sharpness}
