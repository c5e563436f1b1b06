"""The head's part of an examination, when it does not come to an end or says nothing of use."""

from types import SimpleNamespace
from typing import Any

import pytest

from tautune.cluster.doctor import doctor
from tautune.cluster.doctor.examination import Wanted
from tautune.records.errors import RunFailed


class Head:
    """Takes one job, which ends or does not."""

    def __init__(self, *, ends: bool, logs: str) -> None:
        self.stopped: list[str] = []
        status = SimpleNamespace(is_terminal=lambda: ends)
        self.jobs = SimpleNamespace(
            get_job_status=lambda job: status, get_job_logs=lambda job: logs, stop_job=self.stopped.append
        )

    def submit(self, job: str, arguments: list[str], **_: Any) -> None:
        self.arguments = arguments


def test_a_job_that_does_not_end_is_stopped_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "EXAMINED_SECONDS", 0.1)
    head: Any = Head(ends=False, logs="unpacking")
    with pytest.raises(RunFailed, match=r"not examined its cluster within 0 s; see `tautune logs doctor-"):
        doctor._ask_head(head, Wanted())
    assert len(head.stopped) == 1


def test_a_job_without_findings_says_its_last_line() -> None:
    head: Any = Head(ends=True, logs="begun\nno space left\n")
    with pytest.raises(RunFailed, match="cannot examine its cluster: no space left"):
        doctor._ask_head(head, Wanted(data=("digits",)))
    assert head.arguments[-1] == "--data=digits"
