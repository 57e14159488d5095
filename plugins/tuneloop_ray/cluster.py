"""The Ray cluster to work on: one that runs, or one on this machine alone that is started and stopped."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tuneloop.api import MissingExtraError, RunError

LOCAL = "local"
"""The address of a cluster that is started on this machine and ends with the work."""
OLDEST = (2, 55)
"""The first release whose interface is used here: the lower bound of the extra `ray`."""
_PROBE_SECONDS = 10.0
_START_SECONDS = 120.0
_PAUSE = 0.2

_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_TRAIN_ENABLE_STATE_TRACKING": "0",
    # A busy machine takes minutes to start a process that imports torch.
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "900",
    "RAY_worker_register_timeout_seconds": "900",
    # Without these, Ray's own messages would stand among those of the run.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_TQDM": "0",
}


def import_ray() -> Any:
    """The module `ray`, with its telemetry switched off.

    Raises:
        MissingExtraError: It is not installed.
        RunError: It is older than what Tuneloop works with.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in _SETTINGS.items()})
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("Ray", "ray", "ray") from error
    check_version(ray.__version__)
    return ray


def check_version(version: str) -> None:
    """Whether a release of Ray is new enough.

    Raises:
        RunError: It is not.
    """
    from packaging.version import Version

    if Version(version).release[:2] < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise RunError(
            f"Ray {version} is installed; Tuneloop works with {wanted} or newer: pip install 'tuneloop[ray]'"
        )


@contextmanager
def connected(address: str = LOCAL, *, cpus: int | None = None) -> Iterator[Any]:
    """The module `ray`, connected to a cluster while inside.

    A connection that this process has already is used, and left open.

    Args:
        address: `local`: a cluster on this machine, started here and stopped at the end. `auto`: the one that runs on
            this machine, or that `RAY_ADDRESS` names. Else `HOST:PORT` of a cluster that this machine is a node of.
        cpus: Cores of a cluster that is started here; None: those of the machine.

    Raises:
        MissingExtraError: Ray is not installed.
        RunError: The cluster cannot be reached or started, or runs another release of Ray or Python.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield ray
        return
    _start(ray, address, cpus)
    try:
        yield ray
    finally:
        ray.shutdown()


def _start(ray: Any, address: str, cpus: int | None) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": False}
    if address == LOCAL:
        # Nothing of it is reachable from outside: Ray asks nobody for a password.
        quiet |= {"num_cpus": cpus, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    else:
        check_address(address)
    try:
        with patience(ray):
            ray.init(address=address, **quiet)
    except Exception as error:
        if address == LOCAL:
            raise RunError(f"a Ray cluster cannot be started on this machine: {first_line(error)}") from error
        raise RunError(
            f"the Ray cluster at {address!r} cannot be used: {first_line(error)}. The machine must be one of its "
            f"nodes (`ray start --address=HOST:PORT` makes it one), with the same releases of Ray and Python; "
            f"`ray status` shows what runs"
        ) from error


@contextmanager
def patience(ray: Any) -> Iterator[None]:
    """While inside, a node that starts is waited for longer.

    Ray gives it half a minute, which a busy machine may need for the first of its processes, and has no setting for it.
    """
    services = ray._private.services
    original = services.get_node

    def get_node(*arguments: Any, **named: Any) -> Any:
        end = time.monotonic() + _START_SECONDS
        while True:
            try:
                return original(*arguments, **named)
            except RuntimeError:
                # It is not registered yet.
                if time.monotonic() > end:
                    raise
                time.sleep(_PAUSE)

    services.get_node = get_node
    try:
        yield
    finally:
        services.get_node = original


def check_address(address: str) -> None:
    """Refuse what cannot be an address, and one that nobody answers at: Ray itself would try for minutes.

    Raises:
        RunError: It is such a one.
    """
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit():
        raise RunError(
            f"the address {address!r} of a Ray cluster is none of: local, auto, HOST:PORT (such as 10.0.0.5:6379). "
            "A machine outside the cluster hands the whole command to it instead: `ray job submit -- tuneloop run`"
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_PROBE_SECONDS) as connection:
            speaks = os.environ.get("RAY_USE_TLS", "0") not in ("", "0") or _speaks_grpc(connection)
    except (OSError, OverflowError) as error:
        raise RunError(
            f"no Ray cluster answers at {address!r}: {error}. Is it running (`ray start --head` there), and is this "
            "its address? Nothing was started, and the run can be resumed"
        ) from error
    if not speaks:
        raise RunError(
            f"what answers at {address!r} is no Ray cluster, or not the port that `ray start` names (usually 6379; "
            "8265 is that of its pages). Nothing was started, and the run can be resumed"
        )


def _speaks_grpc(connection: socket.socket) -> bool:
    """Whether the other side answers the opening of HTTP/2 with its settings (RFC 9113, section 3.4)."""
    head = b""
    try:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
        while len(head) < 4 and (more := connection.recv(9)):
            head += more
    except (TimeoutError, ConnectionError):
        return False
    return head[3:4] == b"\x04"


def first_line(error: BaseException) -> str:
    """What an error says, without the traces that Ray's errors carry."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__
