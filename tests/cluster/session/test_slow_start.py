"""A machine so crowded that Ray gives up waiting for itself: it is started once more, and then it is a line."""

from collections.abc import Callable
from typing import Any

import pytest
import ray

from tautune.cluster.session import local_ray

TIMED_OUT = "The current node timed out during startup. This could happen because some of the raylet failed to startup."


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Lists what is done, without a Ray: the tests' own runs on."""
    done: list[str] = []
    monkeypatch.setattr(ray, "shutdown", lambda: done.append("shutdown"))
    return done


def starting(attempts: list[str], *errors: Exception | None) -> Callable[..., None]:
    """Returns a start that ends in these errors, one after another."""
    left = list(errors)

    def start(in_workers: Any, options: Any) -> None:
        attempts.append("start")
        if error := left.pop(0):
            raise error

    return start


def test_a_start_that_timed_out_is_tried_once_more(
    attempts: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(local_ray, "_start", starting(attempts, Exception(TIMED_OUT), None))
    local_ray._start_patiently((), {})
    assert attempts == ["start", "shutdown", "start"]
    assert caplog.messages == ["Ray has not started in time; trying once more"]


@pytest.mark.parametrize(
    ("errors", "done"),
    [
        ((Exception(TIMED_OUT), Exception(TIMED_OUT)), ["start", "shutdown", "start"]),
        ((OSError("no room"),), ["start"]),
    ],
)
def test_other_errors_and_a_second_one_are_raised(
    errors: tuple[Exception, ...], done: list[str], attempts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_ray, "_start", starting(attempts, *errors))
    with pytest.raises(type(errors[-1]), match=str(errors[-1])[:20]):
        local_ray._start_patiently((), {})
    assert attempts == done
