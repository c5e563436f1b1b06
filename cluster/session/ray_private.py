"""Everything private in Ray's core that a session relies on, each with a guard and a public way besides.

Each name here was checked with Ray 2.60. Where one has moved, the session is slower or less tidy, and says so once.
What keeps others out, the token and the loopback address, has no such second way: it is had, or the session refuses.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from tautune.cluster.session.signals import interrupt, interrupt_waits

_LOG = logging.getLogger("tautune")
_said: set[str] = set()

OPEN = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""The variable that, despite its name, decides on Linux too whether Ray binds to all addresses or to loopback."""
NODE_METHODS = ("start_monitor", "start_api_server", "start_log_monitor", "start_ray_processes", "get_gcs_client")
IMPATIENT = {"raylet_client_connect_timeout_milliseconds": 50, "raylet_client_num_connect_attempts": 200}
"""Ray's processes try one another every 50 ms: with Ray's own settings, every other start lasts a second longer."""


def moved(name: str, consequence: str) -> None:
    """Says once that this version of Ray lacks `name`, and what follows from it."""
    if name not in _said:
        _said.add(name)
        _LOG.warning("Ray %s has no %s, which tautune uses: %s", _version(), name, consequence)


def _version() -> str:
    return str(getattr(sys.modules.get("ray"), "__version__", "of this version"))


def find(module: str, *names: str) -> Any:
    """Returns the module, or None if it is missing or lacks one of the names."""
    try:
        found = import_module(module)
    except ImportError:
        return None
    return found if all(hasattr(found, name) for name in names) else None


def reread_environment() -> set[str]:
    """Lets Ray, which is imported already, read the environment again; returns the variables that it did not read."""
    unread = set()
    raylet = find("ray._raylet", "Config", "AuthenticationTokenLoader")
    try:
        raylet.Config.initialize("")
        raylet.AuthenticationTokenLoader.instance().reset_cache()
    except (AttributeError, TypeError):
        unread |= {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN"}
    constants = find("ray._private.ray_constants", "ENABLE_RAY_CLUSTER")
    if constants is None:
        return unread | {OPEN}
    usual = "0" if sys.platform in ("darwin", "win32") else "1"
    constants.ENABLE_RAY_CLUSTER = os.environ.get(OPEN, usual).lower() in ("1", "true")
    return unread


def asks_for_a_token() -> bool | None:
    """Returns whether Ray's processes would ask for a token; None where this Ray does not tell."""
    raylet = find("ray._raylet", "get_authentication_mode", "AuthenticationMode")
    with suppress(AttributeError, TypeError):
        return bool(raylet.get_authentication_mode() == raylet.AuthenticationMode.TOKEN)
    return None


@contextmanager
def processes_of_their_own() -> Iterator[None]:
    """Starts Ray's processes in sessions of their own: signals to this process's group are this process's alone.

    They still die with it: Ray asks the kernel for that.
    """
    services = find("ray._private.services", "ConsolePopen")
    if sys.platform != "linux":  # elsewhere Ray's own reaper needs them in this process's group
        yield
        return
    if services is None:
        moved("_private.services.ConsolePopen", "a signal to the whole process group also ends Ray's processes")
        yield
        return
    usual = services.ConsolePopen

    def start(*arguments: Any, **options: Any) -> Any:
        with interrupt_waits():
            waiting = signal.SIGTERM in signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            try:  # a process inherits what its parent keeps waiting
                return usual(*arguments, start_new_session=True, **options)
            finally:
                if waiting:
                    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    services.ConsolePopen = start
    try:
        yield
    finally:
        services.ConsolePopen = usual


@contextmanager
def sigterm_waits() -> Iterator[None]:
    """Keeps SIGTERM waiting while `ray.init` connects inside, and then makes it Ctrl-C.

    Ray's library puts a handler of its own there meanwhile, which prints a page about C++ and ends the process. The
    threads that are started inside inherit the mask: the signal always reaches the main thread. The processes that
    are started inside do not, see `processes_of_their_own`.
    """
    worker = find("ray._private.worker", "connect")
    if threading.current_thread() is not threading.main_thread() or sys.platform != "linux":
        yield
        return
    if worker is None:
        moved("_private.worker.connect", "SIGTERM while Ray starts ends in Ray's words")
        yield
        return
    usual = worker.connect

    def connect(*arguments: Any, **options: Any) -> Any:
        try:
            with interrupt_waits():  # else Ray is left half connected, and its end takes long
                return usual(*arguments, **options)
        finally:
            signal.signal(signal.SIGTERM, interrupt)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    worker.connect = connect
    try:
        yield
    finally:
        worker.connect = usual
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


@contextmanager
def small_node(preloaded: list[str]) -> Iterator[dict[str, Any]]:
    """Replaces Ray's Node while `ray.init` runs inside; yields further options for `ray.init`.

    A start that fails or is interrupted leaves none of its processes behind.

    Args:
        preloaded: modules that workers import before there is a trial.
    """
    module = find("ray._private.node", "Node")
    if module is None or not all(hasattr(module.Node, name) for name in NODE_METHODS):
        moved("_private.node.Node", "Ray starts more slowly")
        yield {}
        return
    usual, started = module.Node, list[Any]()
    module.Node = _small(usual, started)
    try:
        yield {"_system_config": IMPATIENT | {"preload_python_modules": preloaded}}
    except BaseException:
        if not import_module("ray").is_initialized():  # else `ray.shutdown` ends them: it asks them first
            for node in started:
                with suppress(Exception):
                    node.kill_all_processes(check_alive=False, allow_graceful=False)
        raise
    finally:
        module.Node = usual


def _small(usual: type[Any], started: list[Any]) -> type[Any]:
    class SmallNode(usual):
        """Lacks the processes that one command on one machine has no use for, each of which imports Ray.

        The autoscaler's would also end a second late: it waits for the answer of a Ray that is gone.
        """

        def __init__(self, *arguments: Any, **options: Any) -> None:
            started.append(self)
            super().__init__(*arguments, **options)

        def start_monitor(self) -> None:
            """Starts no autoscaler."""

        def start_api_server(self, **options: Any) -> None:
            """Starts no dashboard, and with it no Jobs API."""
            self._webui_url = None

        def start_log_monitor(self) -> None:
            """Starts nothing that would show what trials print."""

        def start_ray_processes(self) -> None:
            """Starts them and waits until the node is known, for which Ray would look once a second."""
            super().start_ray_processes()
            for _ in range(250):  # then Ray waits on
                if self.get_gcs_client().get_all_node_info(timeout=10):
                    break
                time.sleep(0.02)

    return SmallNode


@contextmanager
def silent_raylet() -> Iterator[None]:
    """Keeps Ray from printing among the results, on standard output, that a process was lost: a run says it itself."""
    worker = find("ray._private.worker", "print_to_stdstream")
    if worker is None:
        moved("_private.worker.print_to_stdstream", "what Ray says of lost processes stands among the results")
        yield
        return
    usual = worker.print_to_stdstream
    worker.print_to_stdstream = lambda *_, **__: None
    try:
        yield
    finally:
        worker.print_to_stdstream = usual


def address_found_by_ray() -> str | None:
    """Returns HOST:PORT of the cluster that RAY_ADDRESS=auto means; None where this Ray cannot be asked.

    Raises ConnectionError if there is none, or more than one.
    """
    services = find("ray._private.services", "canonicalize_bootstrap_address_or_die")
    if services is None:
        moved("_private.services.canonicalize_bootstrap_address_or_die", "RAY_ADDRESS=auto may wait for minutes")
        return None
    logging.getLogger("ray").setLevel(logging.ERROR)  # it warns where there are several, and takes the latest
    return str(services.canonicalize_bootstrap_address_or_die("auto"))
