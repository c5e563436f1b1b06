"""What `make test-cluster` says on a machine that lacks a program."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
SKIPPED = """
import sys
import pytest
from tests.cluster import hosts
hosts.PACKAGES = {"no-such-program": "some-package"}
sys.exit(pytest.main(["-m", "cluster", "-q", "-p", "no:cacheprovider", "tests/cluster/test_real_cluster.py"]))
"""


@pytest.mark.parametrize("ci", [True, False])
def test_what_is_missing_is_the_last_line_and_ci_fails(ci: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | ({"CI": "true"} if ci else {})
    command = [sys.executable, "-c", SKIPPED]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == (1 if ci else 0), done.stdout + done.stderr
    reason = "needs root on Linux"
    if sys.platform == "linux" and os.geteuid() == 0:
        reason = "needs no-such-program (Debian: apt-get install some-package)"
    assert done.stdout.splitlines()[-1] == f"No cluster was tested: {reason}"
