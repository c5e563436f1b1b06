"""`make test-cluster` where the three hosts cannot be made: what is missing is its last line, and CI fails."""

import os
from collections.abc import Iterator

import pytest

from tests.cluster.hosts import why_not
from tests.cluster.real_cluster import Cluster, cluster_that_is_up


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One for all tests of `make test-cluster`, file after file."""
    with cluster_that_is_up(tmp_path_factory.mktemp("cluster")) as made:
        yield made


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Lets CI fail, for which a cluster that was not tested is none that works."""
    if _nothing_ran(session.config) and os.environ.get("CI") == "true":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    """Says it after all that pytest itself says."""
    if _nothing_ran(config):
        print(f"No cluster was tested: {why_not()}")


def _nothing_ran(config: pytest.Config) -> bool:
    return config.option.markexpr == "cluster" and bool(why_not())
