"""Test hosts on this machine: each a network and a process tree of its own, with an address, a name and an sshd.

Root and Linux only. The hosts share the disk, but for their temporary folders and homes; /mnt is
`shared` of the test's folder, on each of them. Nothing leaves the bridge.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

PACKAGES = {
    "ip": "iproute2",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "rsync": "rsync",
    "unshare": "util-linux",
    "pgrep": "procps",
    "curl": "curl",
}
"""The programs that hosts are made of, and Debian's packages of them."""
SUBNET = "10.213.77"
BRIDGE = "tautune0"


def why_not() -> str:
    """Why hosts cannot be made here; empty if they can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux"
    missing = [name for name in PACKAGES if not shutil.which(name, path=_PATH)]
    if missing:
        packages = " ".join(sorted({PACKAGES[name] for name in missing}))
        return f"needs {', '.join(missing)} (Debian: apt-get install {packages})"
    if Path(sys.prefix).is_relative_to("/tmp"):
        return "needs a clone outside /tmp, of which every host has its own"
    try:
        run("ip", "netns", "add", "tau0")
        run("ip", "netns", "exec", "tau0", "unshare", "-m", "-u", "-p", "-f", "--mount-proc", "true")
    except RuntimeError as error:
        return f"needs namespaces: {error}"
    finally:
        remove("tau0")
    return ""


_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


class Host:
    """One host; `kill` ends its process tree."""

    def __init__(self, number: int, folder: Path, public_key: str) -> None:
        self.name, self.address = f"tau{number}", f"{SUBNET}.{number}"
        self.folder = folder / self.name
        for part in ("home/.ssh", "home/.sshd", "tmp"):
            (self.folder / part).mkdir(parents=True)
        (self.folder / "home/.ssh").chmod(0o700)
        (self.folder / "home/.ssh/authorized_keys").write_text(public_key)
        passwd = Path("/etc/passwd").read_text().splitlines()
        own = [line.replace(":/root:", ":/home/tau:") if line.startswith("root:") else line for line in passwd]
        (self.folder / "passwd").write_text("\n".join(own) + "\n")
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / "home/.sshd/host_key"))
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", self.name, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        run("ip", "link", "set", self.name, "master", BRIDGE, "up")
        for command in (
            f"addr add {self.address}/24 dev eth0",
            "link set eth0 up",
            "link set lo up",
            f"route add default via {SUBNET}.254",  # Ray asks which address would be used; nothing is sent
        ):
            run("ip", "-n", self.name, *command.split())
        self.start()

    def start(self) -> None:
        """Boots it: a process tree of its own, whose first process is sshd."""
        (self.folder / "home/.sshd/config").write_text(
            "HostKey /home/tau/.sshd/host_key\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
            "StrictModes no\nUsePAM no\nPidFile none\nPermitUserEnvironment no\nMaxStartups 50\n"
        )
        boot = (
            f"set -e; hostname {self.name}; mkdir -p /home/tau; mount --bind {self.folder}/home /home/tau; "
            f"mount --bind {self.folder}/passwd /etc/passwd; mount -t tmpfs tmpfs /run; mkdir -p /run/sshd; "
            f"mount -t tmpfs -o size=8g tmpfs /dev/shm; mount --bind {self.folder.parent}/shared /mnt; "
            "sshd=$(command -v sshd); "
            f"mount --bind {self.folder}/tmp /tmp; exec $sshd -D -e -f /home/tau/.sshd/config"
        )
        command = ["ip", "netns", "exec", self.name, "unshare", "-m", "-u", "-p", "-f", "--mount-proc", "--kill-child"]
        self.log = (self.folder / "sshd.log").open("ab")
        self.process = subprocess.Popen(
            [*command, "bash", "-c", boot],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            env=_environment(),
        )

    def kill(self) -> None:
        """Ends every process of it at once, as a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def cut(self) -> None:
        """Pulls its network cable."""
        run("ip", "link", "set", self.name, "down")

    def restore(self) -> None:
        run("ip", "link", "set", self.name, "up")

    def remove(self) -> None:
        if self.process.poll() is None:
            self.kill()
        remove(self.name)


class Hosts:
    """Several hosts on one bridge, which this machine is on too: it is the laptop."""

    def __init__(self, count: int, folder: Path) -> None:
        self.folder, self.count = folder, count
        self.key = folder / "key"
        self.hosts: list[Host] = []

    def __enter__(self) -> "Hosts":
        remove_leftovers()
        (self.folder / "shared").mkdir()
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key))
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "addr", "add", f"{SUBNET}.254/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        public = self.key.with_suffix(".pub").read_text()
        try:
            for number in range(1, self.count + 1):
                self.hosts.append(Host(number, self.folder, public))
            for host in self.hosts:
                self.wait_for(host)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for host in self.hosts:
            host.remove()
        subprocess.run(["ip", "link", "delete", BRIDGE], check=False, env=_environment())

    def ssh(self, host: Host, command: str, *, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        return subprocess.run(
            ["ssh", "-i", str(self.key), *options, "-o", "ConnectTimeout=5", f"root@{host.address}", command],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def wait_for(self, host: Host) -> None:
        end = time.monotonic() + 20
        while self.ssh(host, "true").returncode:
            if time.monotonic() > end:
                raise RuntimeError(f"{host.name} does not answer: {(host.folder / 'sshd.log').read_text()}")
            time.sleep(0.2)


def remove_leftovers() -> None:
    """Of a test run that was killed."""
    for number in range(1, 10):
        remove(f"tau{number}")
    subprocess.run(["ip", "link", "delete", BRIDGE], check=False, capture_output=True, env=_environment())


def remove(name: str) -> None:
    """The network of a host; the link by itself, since the namespace may outlive its name for a while."""
    for command in (["ip", "link", "delete", name], ["ip", "netns", "delete", name]):
        subprocess.run(command, check=False, capture_output=True, env=_environment())


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


def _environment() -> dict[str, str]:
    return os.environ | {"PATH": _PATH}
