"""A slow network between a test host and the others: every frame it sends is late, and some are lost.

The kernel here may lack netem, so that a program of this machine carries the frames: it holds one end of two TAP
devices, one of which is a port of the bridge and the other the host's network card.

    python -m tests.cluster.slow_network NAME ADDRESS SECONDS LOSS
"""

import asyncio
import fcntl
import os
import random
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.hosts import BRIDGE, SUBNET, Host, run

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
FRAME_BYTES = 65536


@contextmanager
def slow(host: Host, *, seconds: float, loss: float) -> Iterator[None]:
    """Delays what a host sends, and loses a share of the frames in both directions, inside."""
    command = [sys.executable, "-m", "tests.cluster.slow_network", host.name, host.address, str(seconds), str(loss)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "slow\n"
        yield
    finally:
        process.terminate()
        process.wait()
        for words in ("link set eth0 up", f"addr add {host.address}/24 dev eth0", _route("eth0")):
            run("ip", "-n", host.name, *words.split())


def _route(device: str) -> str:
    return f"route add default via {SUBNET}.254 dev {device}"


def _tap(name: str) -> int:
    """Makes a TAP device, which is there as long as this process is, and returns its file descriptor."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return device


def _take_over(name: str, address: str, card: str) -> None:
    """Makes a TAP device the network card of a host, under the address and the MAC that eth0 has."""
    within = ["ip", "netns", "exec", name, "cat", "/sys/class/net/eth0/address"]
    mac = subprocess.run(within, capture_output=True, text=True, check=True).stdout.strip()
    run("ip", "link", "set", card, "netns", name)
    for words in (
        "link set eth0 down",
        f"addr del {address}/24 dev eth0",
        f"link set {card} address {mac}",
        f"addr add {address}/24 dev {card}",
        f"link set {card} up",
        _route(card),
    ):
        run("ip", "-n", name, *words.split())


async def carry(name: str, address: str, seconds: float, loss: float) -> None:
    """Carries the frames until this process ends."""
    port, card = _tap(f"{name}p"), _tap(f"{name}c")
    run("ip", "link", "set", f"{name}p", "master", BRIDGE, "up")
    _take_over(name, address, f"{name}c")
    loop, draw = asyncio.get_running_loop(), random.Random(0)

    def hand_on(source: int, target: int, late: float) -> None:
        try:
            frame = os.read(source, FRAME_BYTES)
        except BlockingIOError:
            return
        if draw.random() >= loss:
            loop.call_later(late, _write, target, frame)

    loop.add_reader(card, hand_on, card, port, seconds)
    loop.add_reader(port, hand_on, port, card, 0.0)
    print("slow", flush=True)
    await asyncio.Event().wait()


def _write(target: int, frame: bytes) -> None:
    try:
        os.write(target, frame)
    except OSError:
        return  # the device is full or down: the frame is lost


if __name__ == "__main__":
    asyncio.run(carry(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])))
