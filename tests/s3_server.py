"""A real S3 server on loopback for the tests: SeaweedFS, with a user who may do all and one who may only read."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

WEED = Path(sys.executable).with_name("weed")
BUCKET = "tautune"
READER = {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "readers-secret"}


def environment() -> dict[str, str]:
    """With which a client finds the server, before it runs too; nobody is asked for credentials."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{_free_ports(1)[0]}",
        "AWS_ACCESS_KEY_ID": "writer",
        "AWS_SECRET_ACCESS_KEY": "writers-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


@contextmanager
def s3_server(folder: Path) -> Iterator[None]:
    """Runs it where AWS_ENDPOINT_URL says, with a bucket, which holds what a server in the same folder has kept."""
    users = (("writer", "writers-secret", ["Admin"]), ("reader", "readers-secret", ["Read", "List"]))
    identities = [
        {"name": name, "credentials": [{"accessKey": name, "secretKey": secret}], "actions": actions}
        for name, secret, actions in users
    ]
    (folder / "users.json").write_text(json.dumps({"identities": identities}))
    (folder / "data").mkdir(exist_ok=True)
    parts = ("master", "volume", "filer")
    names = [f"-{part}.port{kind}" for part in (*parts, "s3") for kind in ("", ".grpc")]
    ports = dict(zip(names, _free_ports(len(names)), strict=True))
    ports["-s3.port"] = int(os.environ["AWS_ENDPOINT_URL"].rpartition(":")[2])
    options = ["-dir=data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-filer", "-s3"]
    options += ["-s3.config=users.json", "-s3.autoCreateBucket=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    options += ["-volume.max=20", "-master.volumeSizeLimitMB=64", *(f"{name}={port}" for name, port in ports.items())]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([WEED, "server", *options], cwd=folder, stdout=log, stderr=log)
    try:
        _make_bucket(server)
        yield
    finally:
        server.kill()
        server.wait()


def _make_bucket(server: "subprocess.Popen[bytes]") -> None:
    import s3fs

    end = time.monotonic() + 60
    s3fs.S3FileSystem.clear_instance_cache()  # of clients of an earlier server
    files = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)
    while True:
        try:
            with suppress(FileExistsError):
                files.call_s3("create_bucket", Bucket=BUCKET)
            files.pipe_file(f"{BUCKET}/first", b"")  # there is a volume to write to
            files.rm_file(f"{BUCKET}/first")
        except Exception:
            assert server.poll() is None, "the S3 server ended"
            assert time.monotonic() < end, "the S3 server does not answer"
            time.sleep(0.2)
        else:
            return


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports
