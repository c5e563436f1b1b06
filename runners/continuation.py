"""How a language model is to continue a text; torch is not needed to refuse it."""

from dataclasses import dataclass

from tautune.records.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Continuation:
    """How a text is continued.

    Raises:
        InputError: one of the values is out of its bounds.
    """

    text: str | None = None
    """The text; None means that it is in a file."""
    length: int = 200
    """How many tokens are written."""
    seed: int = 0
    """Seed of the draws."""
    temperature: float = 1.0
    """By which logits are divided before a token is drawn; 0 takes the most probable one."""

    def __post_init__(self) -> None:
        for name, least in (("length", 1), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise InputError(f"{name} must be an integer of at least {least}, not {value!r}")
        if not 0 <= self.temperature < float("inf"):
            raise InputError(f"temperature must be finite and at least 0, not {self.temperature!r}")
