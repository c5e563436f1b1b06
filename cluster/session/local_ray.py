"""A Ray of our own for one command on this machine, which starts in two thirds of the time that Ray's own takes."""

import logging
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import ray

from tautune.cluster.session.ray_private import asks_for_a_token, processes_of_their_own, sigterm_waits, small_node
from tautune.records.errors import RunFailed

_LOG = logging.getLogger("tautune")
GC_THRESHOLD = "tautune.cluster.session.gc_threshold"


def start_local_ray(meanwhile: Sequence[str], in_workers: Sequence[str], **options: Any) -> None:
    """Starts a Ray that only this user can use; `ray_session` has set the environment for it.

    Raises:
        RunFailed: Ray cannot start, or could be used by others.
    """
    if asks_for_a_token() is False:
        raise RunFailed("Ray would not ask for a token, so others could use it; set RAY_AUTH_MODE=token")
    with sigterm_waits(), _importing(meanwhile):
        try:
            _start_patiently(in_workers, options)
        except SystemExit:  # what Ray makes of SIGTERM while it starts
            raise KeyboardInterrupt from None
        except Exception as error:
            raise RunFailed(f"Ray cannot start: {_reason(error)}; its files are in {_folder()}") from None
    addresses = [ray.get_runtime_context().gcs_address, *(node["NodeManagerAddress"] for node in ray.nodes())]
    if not all(address.startswith("127.0.0.1") for address in addresses):
        ray.shutdown()
        raise RunFailed(
            f"Ray listens on {addresses[0]}, where others reach it; set RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0"
        )


def _start_patiently(in_workers: Sequence[str], options: dict[str, Any]) -> None:
    """Starts Ray, once more where Ray gave up waiting: it waits for 30 s, which a crowded machine can need."""
    try:
        _start(in_workers, options)
    except Exception as error:
        if "timed out" not in str(error).lower():
            raise
        _LOG.warning("Ray has not started in time; trying once more")
        ray.shutdown()
        _start(in_workers, options)


def _start(in_workers: Sequence[str], options: dict[str, Any]) -> None:
    with processes_of_their_own(), small_node([GC_THRESHOLD, *in_workers]) as more:
        ray.init(address="local", include_dashboard=False, **options, **more)


@contextmanager
def _importing(names: Sequence[str]) -> Iterator[None]:
    """Imports modules in another thread; after an error or Ctrl-C inside, those that it has not begun are left out."""
    waiting = list(names)

    def work() -> None:
        while waiting:
            import_module(waiting.pop(0))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    except BaseException:
        waiting.clear()
        raise
    finally:
        thread.join()


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:300]


def _folder() -> str:
    """Returns where Ray keeps its files, and the room there: Ray only says that it took too long."""
    folder = Path(os.environ.get("RAY_TMPDIR", "/tmp"))
    try:
        return f"{folder}/ray ({shutil.disk_usage(folder).free / 2**20:.0f} MiB free)"
    except OSError:
        return f"{folder}/ray"
