"""Checks what a study that is tuned says of its runs where the command says nothing."""

from typing import Any

from tautune.search_spaces.names import check_name


def check_defaults(study: object, counts: tuple[str, ...]) -> None:
    """Raises ValueError unless search and scheduler are text, and the counts integers of at least 1."""
    for name in ("search", "scheduler"):
        if not isinstance(value := getattr(study, name), str):
            raise ValueError(f"{name} must be a name, not {value!r}")
    for name in counts:
        value = getattr(study, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be an integer of at least 1, not {value!r}")


def check_points(points: Any, space: dict[str, Any] | None = None) -> None:
    """Raises ValueError unless these are configurations, or parts of some, to try first.

    Args:
        space: in which each of their names must be.
    """
    if not isinstance(points, list | tuple) or not all(isinstance(point, dict) for point in points):
        raise ValueError(f"points_to_evaluate must be a list of configurations, [{{name: value}}], not {points!r}")
    for point in points:
        if not point or not all(isinstance(name, str) for name in point):
            raise ValueError(f"points_to_evaluate must have the name of a hyperparameter for each value, not {point!r}")
        for name in point if space is not None else ():
            check_name("points_to_evaluate: hyperparameter", name, tuple(space or ()))
