"""Whose fault an error is while the head is spoken to: its connection's, its own, or ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import ray

from tautune.cluster.remote import head
from tautune.cluster.remote.cluster_file import ClusterFile, read_cluster_file
from tautune.cluster.remote.head import connected
from tautune.records.errors import InputError, RunFailed

FILE = Path(__file__).parents[3] / "cluster/providers/onprem.yaml"


class Answers(BaseHTTPRequestHandler):
    version = ray.__version__

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        known = self.path == "/api/version"
        text = f'{{"version": "4", "ray_version": "{self.version}", "ray_commit": "x"}}' if known else "full disk"
        self.send_response(200 if known else 500)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Is silent."""


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch) -> Iterator[ClusterFile]:
    """A cluster whose head is a server here, at the end of a tunnel that is none."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=server.serve_forever, daemon=True).start()

    @contextmanager
    def tunnel(*_: object) -> Iterator[int]:
        yield server.server_port

    monkeypatch.setattr(head, "tunnel", tunnel)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "x")
    yield read_cluster_file(FILE)
    server.shutdown()
    server.server_close()


def test_what_the_head_refuses_is_its_own_answer(file: ClusterFile) -> None:
    with (
        pytest.raises(RunFailed, match=r"the head of tautune refuses \(HTTP 500\): full disk"),
        connected(file) as there,
    ):
        there.jobs.list_jobs()


def test_an_error_of_ours_stays_ours(file: ClusterFile) -> None:
    with pytest.raises(RuntimeError, match="ours") as raised, connected(file):
        raise RuntimeError("ours")
    assert type(raised.value) is RuntimeError


def test_a_lost_connection_is_told_as_such(file: ClusterFile) -> None:
    with pytest.raises(RunFailed, match="does not answer any more: gone"), connected(file):
        raise ConnectionError("gone")


def test_another_ray_is_not_a_cluster_that_is_down(file: ClusterFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answers, "version", "1.2.3")
    with pytest.raises(InputError, match=r"tautune answers, but not as Ray 2\..*1\.2\.3"), connected(file):
        pass
