"""A machine so crowded that Ray gives up waiting for itself: it is started once more, and then it is a line."""

from collections.abc import Callable
from typing import Any

import pytest

from tautune.cluster.session import local_ray

TIMED_OUT = "The current node timed out during startup. This could happen because some of the raylet failed to startup."


def starting(*errors: Exception | None) -> tuple[Callable[..., None], list[int]]:
    """Returns a start that ends in these errors, one after another, and the list of its attempts."""
    left, attempts = list(errors), list[int]()

    def start(in_workers: Any, options: Any) -> None:
        attempts.append(len(attempts) + 1)
        if error := left.pop(0):
            raise error

    return start, attempts


def test_a_start_that_timed_out_is_tried_once_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start, attempts = starting(Exception(TIMED_OUT), None)
    monkeypatch.setattr(local_ray, "_start", start)
    local_ray._start_patiently((), {})
    assert attempts == [1, 2]
    assert caplog.messages == ["Ray has not started in time; trying once more"]


@pytest.mark.parametrize(
    ("errors", "tries"), [((Exception(TIMED_OUT), Exception(TIMED_OUT)), 2), ((OSError("no room"),), 1)]
)
def test_other_errors_and_a_second_one_are_raised(
    errors: tuple[Exception, ...], tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, attempts = starting(*errors)
    monkeypatch.setattr(local_ray, "_start", start)
    with pytest.raises(type(errors[-1]), match=str(errors[-1])[:20]):
        local_ray._start_patiently((), {})
    assert len(attempts) == tries
