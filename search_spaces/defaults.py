"""Checks what a study that is tuned says of its runs where the command says nothing."""


def check_defaults(study: object, counts: tuple[str, ...]) -> None:
    """Raises ValueError unless search and scheduler are text, and the counts integers of at least 1."""
    for name in ("search", "scheduler"):
        if not isinstance(value := getattr(study, name), str):
            raise ValueError(f"{name} must be a name, not {value!r}")
    for name in counts:
        value = getattr(study, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be an integer of at least 1, not {value!r}")
