"""What is not in Ray's public interface does what it is there for, in a Ray of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

PROGRAM = """
import gc, json, os, sys, time
from pathlib import Path
from tautune.cluster.session.session import ray_session

with ray_session(meanwhile=["wave"], in_workers=["tautune.trainables.grid.trial"]):
    import ray
    from ray import tune

    class Trial(tune.Trainable):
        def step(self):
            imported = "tautune.trainables.grid.trial" in sys.modules
            return {"done": True, "pid": os.getpid(), "imported": imported, "threshold": gc.get_threshold()[0]}

    node = ray._private.worker._global_node
    ready = []
    while len(ready) < ray.cluster_resources()["CPU"]:
        time.sleep(0.1)
        ready = [int(log.stem.rpartition("-")[2]) for log in Path(node.get_logs_dir_path()).glob("worker-*.err")]
    run = tune.RunConfig(storage_path=sys.argv[1], verbose=0)
    [result] = tune.Tuner(Trial, run_config=run).fit()
    print(json.dumps({
        "processes": sorted(name for name, _ in node.live_processes()),
        "meanwhile": "wave" in sys.modules,
        "logs": node.get_logs_dir_path(),
        "was ready": result.metrics["pid"] in ready,
        **{name: result.metrics[name] for name in ("imported", "threshold")},
    }))
"""


def test_starts_what_it_needs_and_trials_find_everything_imported(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    environment = os.environ | {"AWS_SECRET_ACCESS_KEY": "not-to-be-logged"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    logs = [path for path in Path(found.pop("logs")).rglob("*") if path.is_file()]
    assert logs
    assert not [path for path in logs if b"not-to-be-logged" in path.read_bytes()]
    assert found == {
        "processes": ["gcs_server", "raylet"],
        "meanwhile": True,
        "was ready": True,
        "imported": True,
        "threshold": 50_000,
    }
