"""Starts, watches and stops `bentoml serve` as a process of its own."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tuneloop.api import ServingError
from tuneloop.monitoring.store_policy import KEY_VARIABLE, POLICY_VARIABLE, StorePolicy, read_key
from tuneloop.serving.supervise import VARIABLE as FAILURE_VARIABLE

_TAIL_BYTES = 4000
_POLL_SECONDS = 0.05
STOP_SECONDS = 45.0
"""For a server to end: above a request's deadline and the time it drains before."""
_FAILED_SECONDS = 1.0
"""For a server to end whose workers cannot start: there is nothing to finish."""


class ServerProcess:
    """A running server. Use as a context manager, or call `stop`."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path, failure: Path | None = None) -> None:
        self._process, self.url, self.log, self._failure = process, url, log, failure

    @property
    def pid(self) -> int:
        """The process id of the supervisor; its workers are its children."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_ready(self, timeout: float = 180.0) -> None:
        """Return once the golden examples were answered and requests are taken.

        Args:
            timeout: Seconds to wait, at most; a server that is not ready by then is stopped.

        Raises:
            ServingError: It ended, a worker cannot start, or it was not ready in time; says why, or quotes its log.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if (status := self.returncode) is not None:
                raise ServingError(f"the server ended with status {status}; {self._tail()}")
            if _is_ready(f"{self.url}/readyz"):
                return
            if self._failure is not None and self._failure.is_file():
                said = self._failure.read_text(errors="replace")
                self.stop(_FAILED_SECONDS)
                raise ServingError(f"the server cannot start: {said}. Its log: {self.log}")
            time.sleep(_POLL_SECONDS)
        self.stop()
        raise ServingError(f"the server was not ready within {timeout:.0f} s; {self._tail()}")

    def wait(self) -> int:
        """Wait until it ends by itself, and give its exit status."""
        return self._process.wait()

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """Ask it to finish its requests and end; after `timeout` seconds end it and its workers by force."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
        # Workers that outlive their supervisor would keep the port: its group is theirs alone.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(timeout)

    def _tail(self) -> str:
        try:
            text = self.log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
        except OSError:
            text = ""
        return f"the end of {self.log}:\n{text}" if text else f"its log {self.log} is empty"


def start_server(
    tag: str,
    *,
    home: Path,
    log: Path,
    host: str = "127.0.0.1",
    port: int = 3000,
    workers: int = 1,
    threads: int = 2,
    channel: str | None = None,
    store_url: str | None = None,
    guards: Mapping[str, str] | None = None,
) -> ServerProcess:
    """Start `bentoml serve`; it is not ready yet when this returns.

    Args:
        tag: Tag of a Bento in `home`, or the path of one.
        home: `BENTOML_HOME` of this server alone: two that share one wipe each other's metrics.
        log: Where its output goes; appended to.
        host: Address to listen on.
        port: Port to listen on.
        workers: Worker processes.
        threads: Threads of a worker that compute at the same time.
        channel: Path or URL of the channel file; None: the Bento's own version for ever.
        store_url: SQLAlchemy URL of the prediction store; None: nothing is stored.
        guards: Environment variables of `Access` and `TUNELOOP_DEVICE` with their values, beside those of this process.

    Raises:
        ServingError: The process cannot be started.
    """
    home.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = server_environment(home=home, workers=workers, threads=threads, channel=channel, store_url=store_url)
    environment |= guards or {}
    failure = home / "failure.txt"
    failure.unlink(missing_ok=True)
    environment[FAILURE_VARIABLE] = str(failure.resolve())
    command = [sys.executable, "-m", "bentoml", "serve", tag, "--host", host, "--port", str(port)]
    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise ServingError(f"`{' '.join(command)}` cannot be started: {error}") from error
    return ServerProcess(process, f"http://{host}:{port}", log, failure)


def server_home(state: Path, port: int) -> Path:
    """A `BENTOML_HOME` for the server of a port, apart from that of every other. `state` is a project's `.tuneloop`."""
    return state / "servers" / str(port)


def default_store_url(state: Path) -> str:
    """The prediction store of a project, unless `TUNELOOP_STORE_URL` names another; SQLAlchemy URL."""
    return os.environ.get("TUNELOOP_STORE_URL") or f"sqlite:///{(state / 'predictions.db').resolve()}"


def store_variables(policy: StorePolicy, state: Path) -> dict[str, str]:
    """The environment variables that tell a server what to store.

    Args:
        policy: Of the project.
        state: The project's `.tuneloop`: the key of hashes is made there, unless `TUNELOOP_STORE_KEY_FILE` names one.

    Raises:
        ServingError: The key cannot be used.
    """
    variables = {POLICY_VARIABLE: policy.as_json()}
    if policy.hashes:
        named = os.environ.get(KEY_VARIABLE)
        path = Path(named) if named else state / "store.key"
        read_key(path, make=not named)
        variables[KEY_VARIABLE] = str(path.resolve())
    return variables


def server_environment(
    *, home: Path, workers: int, threads: int, channel: str | None, store_url: str | None
) -> dict[str, str]:
    """The environment of a server: this process's, and what the arguments of `start_server` say."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("TUNELOOP_CHANNEL", "TUNELOOP_STORE_URL", "PROMETHEUS_MULTIPROC_DIR")
    }
    environment |= {
        "BENTOML_HOME": str(home.resolve()),
        "BENTOML_DO_NOT_TRACK": "True",
        "TUNELOOP_WORKERS": str(workers),
        "TUNELOOP_THREADS": str(threads),
        "OMP_NUM_THREADS": "1",
    }
    if channel is not None:
        environment["TUNELOOP_CHANNEL"] = channel
    if store_url is not None:
        environment["TUNELOOP_STORE_URL"] = store_url
    return environment


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2.0) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException):
        # Also where something else has the port, and speaks no HTTP: the server will say that it cannot have it.
        return False
