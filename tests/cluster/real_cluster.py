"""The three-host cluster as its user has it: a laptop, a cluster file, and hosts to be kind or unkind to."""

import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.hosts import Host, Hosts

ROOT = Path(__file__).parents[2]
Done = subprocess.CompletedProcess[str]


@dataclass
class Cluster:
    """Three of the hosts are the cluster, the first its head; the fourth is an outsider on the same network."""

    hosts: Hosts
    laptop: Path
    """The home of the user's own machine."""
    file: Path

    @property
    def head(self) -> Host:
        return self.hosts.hosts[0]

    @property
    def workers(self) -> list[Host]:
        return self.hosts.hosts[1:3]

    @property
    def outsider(self) -> Host:
        return self.hosts.hosts[3]

    @property
    def storage(self) -> Path:
        """What the hosts have as /mnt/tautune."""
        return self.hosts.folder / "shared" / "tautune"

    def environment(self) -> dict[str, str]:
        """The laptop's, without what this machine sets for its own runs."""
        foreign = ("RAY_", "TAUTUNE_", "OPENBLAS_", "NVPL_", "OMP_", "MKL_")
        plain = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return plain | {"HOME": str(self.laptop), "COLUMNS": "160", "PYTHONPATH": str(ROOT)}

    def tautune(self, *arguments: str, timeout: float = 200, cwd: Path = ROOT, **changes: str) -> Done:
        """Runs a command on the laptop, in a folder; `changes` are those of its environment."""
        return subprocess.run(
            [sys.executable, "-m", "tautune", *arguments],
            cwd=cwd,
            env=self.environment() | changes,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def submit(self, name: str, *command: str, follow: bool = False, working_dir: Path = ROOT) -> Done:
        options = ["--cluster", str(self.file), "--name", name, *(["--follow"] if follow else [])]
        done = self.tautune("submit", *options, "--", *command, cwd=working_dir)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def job(self, name: str) -> dict[str, Any]:
        listed = self.tautune("jobs", "--cluster", str(self.file), "--json").stdout
        found: dict[str, Any] = next(job for job in map(json.loads, listed.splitlines()) if job["job"] == name)
        return found

    def wait_for(self, name: str, *, seconds: float) -> dict[str, Any]:
        """The job's record at its end."""
        end = time.monotonic() + seconds
        while (job := self.job(name))["status"] in ("PENDING", "RUNNING"):
            assert time.monotonic() < end, self.tautune("logs", name, "--cluster", str(self.file)).stdout[-3000:]
            time.sleep(2)
        return job


@contextmanager
def hosts_and_laptop(folder: Path) -> Iterator[Cluster]:
    """Four hosts with tautune's packages on them, and nothing brought up yet."""
    laptop = folder / "laptop"
    laptop.mkdir()
    with Hosts(4, folder) as hosts:
        (folder / "shared" / "tautune").mkdir()
        for host in hosts.hosts:
            _install(host)
        addresses = [host.address for host in hosts.hosts[:3]]
        config = yaml.safe_load((ROOT / "cluster/providers/onprem.yaml").read_text())
        config |= {"cluster_name": "test", "max_workers": 2}
        config["provider"] |= {"head_ip": addresses[0], "worker_ips": addresses[1:]}
        config["auth"] = {"ssh_user": "root", "ssh_private_key": str(hosts.key)}
        file = folder / "onprem.yaml"
        file.write_text(yaml.safe_dump(config))
        yield Cluster(hosts, laptop, file)


@contextmanager
def cluster_that_is_up(folder: Path) -> Iterator[Cluster]:
    """Three of them brought up by `tautune up`, and taken down at the end."""
    with hosts_and_laptop(folder) as made:
        begun = time.monotonic()
        up = made.tautune("up", str(made.file))
        assert up.returncode == 0, up.stdout + up.stderr
        print(f"tautune up to three hosts ready: {time.monotonic() - begun:.0f} s")
        assert "3 of 3 machines" in up.stdout
        token = made.laptop / ".ray/auth_token"
        assert token.stat().st_mode & 0o777 == 0o600
        assert token.read_text() not in up.stdout + up.stderr
        yield made
        down = made.tautune("down", str(made.file))
        assert down.returncode == 0, down.stdout + down.stderr


def _install(host: Host) -> None:
    """Gives a host this machine's packages, which setup.sh would need minutes for, and the tree that it is sent."""
    here, there = Path(sys.prefix), host.folder / "home/.tautune-venv"
    packages = Path(sysconfig.get_path("purelib")).relative_to(here)
    for part in ("bin", str(packages)):
        (there / part).mkdir(parents=True)
        for file in (here / part).iterdir():
            if not file.name.startswith("__editable__"):
                (there / part / file.name).symlink_to(file)
    ray = (here / "bin/ray").read_text().partition("\n")[2]
    (there / "bin/ray").unlink()
    (there / "bin/ray").write_text(f"#!/home/tau/.tautune-venv/bin/python\n{ray}")
    (there / "bin/ray").chmod(0o755)
    (there / "pyvenv.cfg").symlink_to(here / "pyvenv.cfg")
    (there / packages / "tautune.pth").write_text("/home/tau/tautune\n")
    locked = subprocess.run("cat requirements.lock pyproject.toml | cksum", shell=True, cwd=ROOT, capture_output=True)
    (there / "installed").write_bytes(locked.stdout)


def add_names_like_ours(folder: Path) -> None:
    """Puts files and packages of the rooms' names into a user's folder; whoever imports them fails."""
    for name in ("analysis.py", "records.py", "cluster/__init__.py", "trainables/__init__.py", "runners/__init__.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f'raise RuntimeError("a file of the user was imported: {name}")\n')


def wait_until(true: Any, *, seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.5)
