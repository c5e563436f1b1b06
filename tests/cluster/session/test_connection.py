"""RAY_ADDRESS where no cluster answers: one line within seconds, where Ray itself would try for minutes."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.process


@pytest.mark.parametrize("address", ["auto", "127.0.0.1:{port}", "ray://127.0.0.1:{port}"])
def test_what_does_not_answer_is_told_soon(address: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections and is no Ray
        port = server.getsockname()[1]
        (tmp_path / "ray").mkdir()
        (tmp_path / "ray/ray_current_cluster").write_text(f"127.0.0.1:{port}")  # as a Ray that died leaves it
        changes = {"RAY_ADDRESS": address.format(port=port), "RAY_TMPDIR": str(tmp_path), "RAY_AUTH_TOKEN": "x"}
        command = [sys.executable, "-m", "tautune", "sweep", "quadratic", "--output", str(tmp_path / "out")]
        begun = time.monotonic()
        done = subprocess.run(command, env=os.environ | changes, capture_output=True, text=True, timeout=100)
    assert time.monotonic() - begun < 60  # four seconds on an idle machine; Ray took two minutes
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]  # Ray may have warned before, on a busy machine
    assert line.startswith(f"tautune: RAY_ADDRESS={changes['RAY_ADDRESS']}: no cluster answers there with this token")


@pytest.mark.parametrize("address", ["host", "host:port", "http://host:1:2:x"])
def test_what_is_no_address_is_refused(address: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tautune", "sweep", "quadratic", "--output", str(tmp_path / "out")]
    environment = os.environ | {"RAY_ADDRESS": address}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2
    assert "it must be HOST:PORT, ray://HOST:PORT or auto" in done.stderr
