"""Ray and its settings for all tests: a local Ray started once, caches in a folder of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tautune.cluster.session.environment import set_environment
from tautune.cluster.session.session import ray_session
from tests.s3_server import environment

set_environment()  # before Ray is imported


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAUTUNE_CACHE", str(folder))
        patch.delenv("TAUTUNE_STORAGE", raising=False)
        for name, value in environment().items():  # Ray's workers have what it was started with
            patch.setenv(name, value)
        yield folder


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
