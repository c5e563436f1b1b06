"""`ray up` on three hosts, a sweep on all of them, and those who have no token: the real thing, on one machine."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.cluster.hosts import Hosts, why_not

ROOT = Path(__file__).parents[2]
RAY = str(Path(sys.executable).with_name("ray"))
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(why_not()), reason=f"the three-host cluster {why_not()}"),
]


@dataclass
class Cluster:
    hosts: Hosts
    laptop: dict[str, str]
    """The environment of the user's own machine."""
    file: Path
    seconds: float
    """From `ray up` to all hosts ready."""

    def on_head(self, command: str) -> subprocess.CompletedProcess[str]:
        return self.hosts.ssh(self.hosts.hosts[0], f"cd ~/tautune && RAY_AUTH_MODE=token {command}", timeout=200)

    def nodes(self) -> int:
        code = "import ray; ray.init('auto', logging_level=40); print(sum(n['Alive'] for n in ray.nodes()))"
        said = self.on_head(f'.venv/bin/python -c "{code}"').stdout.split()
        return int(said[-1]) if said and said[-1].isdecimal() else 0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "laptop").mkdir()
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "TAUTUNE_"))}
    laptop = plain | {"HOME": str(folder / "laptop"), "RAY_AUTH_MODE": "token", "RAY_UP_enable_autoscaler_v2": "0"}
    with Hosts(3, folder) as hosts:
        addresses = [host.address for host in hosts.hosts]
        locked = subprocess.run(
            "cat requirements.lock pyproject.toml | cksum", shell=True, cwd=ROOT, capture_output=True
        )
        for host in hosts.hosts:  # what setup.sh would spend minutes on is there already
            hosts.ssh(
                host,
                f"mkdir ~/.tautune-venv && ln -s {sys.prefix}/* ~/.tautune-venv && rm -f ~/.tautune-venv/installed",
            )
            hosts.ssh(host, f"echo '{locked.stdout.decode().strip()}' > ~/.tautune-venv/installed")
        config = yaml.safe_load((ROOT / "cluster/providers/onprem.yaml").read_text())
        config["provider"] |= {"head_ip": addresses[0], "worker_ips": addresses[1:]}
        config["auth"] = {"ssh_user": "root", "ssh_private_key": str(hosts.key)}
        config["file_mounts"]["~/tautune"] = str(ROOT)
        file = folder / "onprem.yaml"
        file.write_text(yaml.safe_dump(config))
        subprocess.run([RAY, "get-auth-token", "--generate"], env=laptop, check=True, capture_output=True)
        begun = time.monotonic()
        up = subprocess.run([RAY, "up", "-y", str(file)], env=laptop, cwd=ROOT, capture_output=True, text=True)
        assert up.returncode == 0, up.stdout + up.stderr
        made = Cluster(hosts, laptop, file, 0.0)
        while made.nodes() < 3:
            assert time.monotonic() < begun + 150, "not all hosts joined"
        made.seconds = time.monotonic() - begun
        yield made
        down = subprocess.run([RAY, "down", "-y", str(file)], env=laptop, cwd=ROOT, capture_output=True, text=True)
        assert down.returncode == 0, down.stdout + down.stderr


def test_ray_up_has_all_three_hosts(cluster: Cluster) -> None:
    assert cluster.nodes() == 3
    print(f"ray up to three hosts ready: {cluster.seconds:.0f} s")


def test_a_sweep_uses_the_cluster_and_finds_what_one_machine_finds(cluster: Cluster, tmp_path: Path) -> None:
    sweep = "sweep quadratic --delays 0,1,4,8 --no-departures"
    on_head = f"cd ~/tautune && RAY_AUTH_MODE=token RAY_ADDRESS=auto .venv/bin/python -m cluster {sweep}"
    command = [RAY, "exec", str(cluster.file), f"{on_head} --output /mnt/sweep"]
    done = subprocess.run(command, env=cluster.laptop, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    alone = [sys.executable, "-m", "cluster", *sweep.split(), "--output", str(tmp_path / "alone")]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    subprocess.run(alone, cwd=ROOT, env=plain | {"TAUTUNE_CACHE": str(tmp_path / "cache")}, check=True, timeout=200)
    cluster_points, own_points = (
        json.loads((folder / "thresholds.json").read_text())["points"]
        for folder in (cluster.hosts.folder / "shared/sweep", tmp_path / "alone")
    )
    assert [p["delay"] for p in cluster_points] == [0, 1, 4, 8]
    measured = [point["measured"] for point in own_points]
    assert [point["measured"] for point in cluster_points] == pytest.approx(measured, rel=1e-8)


def test_without_the_token_nobody_is_answered(cluster: Cluster, tmp_path: Path) -> None:
    head = cluster.hosts.hosts[0].address

    def ask(home: str, mode: str) -> int:
        environment = cluster.laptop | {"HOME": home, "RAY_AUTH_MODE": mode}
        command = [RAY, "status", "--address", f"{head}:6379"]
        return subprocess.run(command, env=environment, capture_output=True, timeout=60).returncode

    assert ask(cluster.laptop["HOME"], "token") == 0
    assert ask(str(tmp_path), "token") != 0
    assert ask(str(tmp_path), "disabled") != 0
    with pytest.raises(OSError, match="refused"):  # the dashboard with the Jobs API is on the head's loopback
        socket.create_connection((head, 8265), timeout=3).close()
