"""A session of our own beside Ray as its user may already have it, and what others can and cannot do meanwhile."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

LATE = '''
import json, os, subprocess, sys
import ray, ray.tune
import tautune
from tautune.cluster.session.session import ray_session
import psutil

KNOCK = """
import sys
from ray._raylet import GcsClient
GcsClient(address=sys.argv[1]).get_all_node_info(timeout=9)
"""

class Trial(ray.tune.Trainable):
    def step(self):
        return {"done": True, "answer": 42}

def listening():
    me, found = psutil.Process(), set()
    for process in (me, *me.children(recursive=True)):
        try:
            found |= {c.laddr.ip.removeprefix("::ffff:") for c in process.net_connections() if c.status == "LISTEN"}
        except psutil.NoSuchProcess:
            pass  # a worker that has ended since
    return sorted(found)

def refusal(**environment):
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    address = ray.get_runtime_context().gcs_address
    command = [sys.executable, "-c", KNOCK, address]
    done = subprocess.run(command, env=plain | environment, capture_output=True, text=True)
    return [word for word in ("InvalidAuthToken", "AuthenticationError") if word in done.stderr]

tokens, before = set(), dict(os.environ)
for _ in range(2):
    with ray_session():
        run = ray.tune.RunConfig(storage_path=sys.argv[1], verbose=0)
        [result] = ray.tune.Tuner(Trial, run_config=run).fit()
        tokens.add(os.environ["RAY_AUTH_TOKEN"])
        found = {"answer": result.metrics["answer"], "listening": listening()}
        found["without"] = refusal(RAY_AUTH_MODE="disabled")
        found["wrong"] = refusal(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="x")
        print(json.dumps(found))
before["PYTHONBREAKPOINT"] = os.environ.get("PYTHONBREAKPOINT")  # is Ray's
changed = [name for name in os.environ if before.get(name) != os.environ[name]]
print(json.dumps({"tokens": len(tokens), "changed": changed, "running": ray.is_initialized()}))
'''

USERS_OWN = """
import ray
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
job = ray.get_runtime_context().get_job_id()
from tautune.cluster.session.session import ray_session
with ray_session(in_workers=["wave"]):
    assert ray.get_runtime_context().get_job_id() == job
assert ray.is_initialized()
"""

EVERYTHING = """
import os, pkgutil, sys
from importlib import import_module
before = dict(os.environ)
import tautune
for module in pkgutil.walk_packages(tautune.__path__, "tautune."):
    if not module.name.endswith("__main__"):
        import_module(module.name)
import psutil, ray
assert len([name for name in sys.modules if name.startswith("tautune.")]) > 80
assert not psutil.Process().children()
assert not ray.is_initialized()
changed = {name for name in os.environ if name.startswith(("RAY_", "TUNE_")) and before.get(name) != os.environ[name]}
changed -= {"RAY_CLIENT_MODE"}  # which Ray sets itself when it is imported
assert not changed, changed
"""


def run(program: str, home: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Runs a program whose environment says nothing of Ray, in a home of its own."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "TUNE_"))}
    command = [sys.executable, "-c", program, *arguments]
    environment = plain | {"HOME": str(home)} | changes
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=110)


def test_ray_that_was_imported_first_is_closed_to_others(tmp_path: Path) -> None:
    done = run(LATE, tmp_path, str(tmp_path / "runs"))
    assert done.returncode == 0, done.stderr
    *sessions, end = map(json.loads, done.stdout.splitlines())
    assert [session["answer"] for session in sessions] == [42, 42]
    assert {address for session in sessions for address in session["listening"]} == {"127.0.0.1"}
    for session in sessions:
        assert session["without"]
        assert session["wrong"]
    assert end == {"tokens": 2, "changed": [], "running": False}
    assert not (tmp_path / ".ray").exists()


def test_a_users_running_ray_is_used_and_left_running(tmp_path: Path) -> None:
    done = run(USERS_OWN, tmp_path)
    assert done.returncode == 0, done.stderr


def test_importing_writes_no_token_and_starts_nothing(tmp_path: Path) -> None:
    done = run(EVERYTHING, tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / ".ray").exists()


@pytest.mark.parametrize("place", ["a file", "too long"])
def test_where_ray_cannot_start_one_line_says_so(place: str, tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 110 if place == "too long" else "file")
    if place == "a file":
        folder.touch()
    command = [sys.executable, "-m", "tautune", "sweep", "quadratic", "--output", str(tmp_path / "out")]
    environment = os.environ | {"RAY_TMPDIR": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("tautune: Ray cannot start: ")
    assert str(folder) in line
    assert ("Not a directory" if place == "a file" else "path length cannot exceed 107") in line
