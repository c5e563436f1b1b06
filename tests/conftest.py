"""Ray and its settings for all tests: a local Ray started once, caches in a folder of their own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tautune.cluster.session.environment import set_environment
from tautune.cluster.session.session import ray_session
from tests.s3_server import environment

set_environment()  # before Ray is imported
if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)  # there is a worker for every core


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sends all tests that share the local Ray to one worker of pytest-xdist; the others run beside it."""
    for item in items:
        if item.get_closest_marker("ray") or "local_ray" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("ray"))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAUTUNE_CACHE", str(folder))
        patch.delenv("TAUTUNE_STORAGE", raising=False)
        for name, value in environment().items():  # Ray's workers have what it was started with
            patch.setenv(name, value)
        yield folder


@pytest.fixture(scope="module")
def cold_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Sets a cache of a file's own: in the one that all share, another test may have left a minimum."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAUTUNE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As trials have it; and many small operations on several threads are slow where the machine is busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    with ray_session():
        yield
