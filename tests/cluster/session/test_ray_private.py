"""Versions of Ray in which what is private has moved: slower, said once, and never open to others."""

import json
import os
from pathlib import Path

import pytest

from tautune.cluster.session.keys import keys_in_a_file
from tests.cluster.session.test_session import run

pytestmark = pytest.mark.process

MOVED = """
import json, os, sys
from pathlib import Path
from tautune.cluster.session import ray_private
ray_private.find = lambda *names: None
from tautune.cluster.session.session import ray_session

with ray_session(in_workers=["wave"]):
    import ray, ray.tune

    class Trial(ray.tune.Trainable):
        def step(self):
            return {"done": True, "key": os.environ.get("AWS_SECRET_ACCESS_KEY")}

    run = ray.tune.RunConfig(storage_path=sys.argv[1], verbose=0)
    [result] = ray.tune.Tuner(Trial, run_config=run).fit()
    address = ray.get_runtime_context().gcs_address
    logs = ray._private.worker._global_node.get_logs_dir_path()
print(json.dumps({"key": result.metrics["key"], "address": address, "logs": logs}))
"""

REFUSED = """
import ray
from tautune.cluster.session import ray_private
ray_private.find = lambda *names: None
from tautune.cluster.session.session import ray_session
try:
    with ray_session():
        pass
except ValueError as error:
    print(error)
assert not ray.is_initialized()
"""


def test_a_session_does_without_what_has_moved(tmp_path: Path) -> None:
    done = run(
        MOVED, tmp_path, str(tmp_path / "runs"), AWS_ACCESS_KEY_ID="me", AWS_SECRET_ACCESS_KEY="not-to-be-logged"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["address"].startswith("127.0.0.1:")
    assert found["key"] == "not-to-be-logged"
    logs = [path for path in Path(found["logs"]).rglob("*") if path.is_file()]
    assert logs
    assert not [path for path in logs if b"not-to-be-logged" in path.read_bytes()]
    said = [line for line in done.stderr.splitlines() if line.startswith("Ray 2.")]
    assert len(said) == len(set(said)) == 7
    assert not (tmp_path / ".ray").exists()


def test_what_cannot_be_closed_is_refused(tmp_path: Path) -> None:
    done = run(REFUSED, tmp_path)
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    assert "import tautune first, or set RAY_AUTH_MODE=token RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0" in line


def test_keys_are_in_a_file_of_their_owner_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    boto3 = pytest.importorskip("boto3")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    before = dict(os.environ)
    with keys_in_a_file():
        file = Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"])
        assert "secret" not in os.environ.values()
        assert file.parent.stat().st_mode & 0o077 == 0
        credentials = boto3.session.Session().get_credentials()
        assert (credentials.access_key, credentials.secret_key) == ("me", "secret")
    assert dict(os.environ) == before
    assert not file.exists()
