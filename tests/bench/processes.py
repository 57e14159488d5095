"""A server process with its children: what it takes of processor and memory, and putting it to sleep."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_POLL_SECONDS = 0.02
_STOP_SECONDS = 120.0


@dataclass
class Server:
    """A running server.

    Attributes:
        process: The one that was started; it leads a group of its own.
        port: On 127.0.0.1.
        ready_seconds: From start to readiness.
    """

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    ready_seconds: float = 0.0

    @classmethod
    def start(
        cls,
        command: Sequence[str],
        *,
        port: int,
        ready: str,
        log: Path,
        environment: Mapping[str, str],
        folder: Path | None = None,
        timeout: float = 120.0,
    ) -> Server:
        """Start it and wait until `ready` is answered with 200.

        Raises:
            RuntimeError: It ended or was not ready in time; quotes its log.
        """
        begun = time.monotonic()
        with log.open("wb") as output:
            process = subprocess.Popen(
                list(command),
                env={**os.environ, **environment},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        server = cls(process, port, log)
        while time.monotonic() - begun < timeout:
            if process.poll() is not None:
                break
            if _answers(f"http://127.0.0.1:{port}{ready}"):
                server.ready_seconds = time.monotonic() - begun
                return server
            time.sleep(_POLL_SECONDS)
        server.stop()
        tail = log.read_bytes()[-3000:].decode(errors="replace")
        raise RuntimeError(f"`{' '.join(command)}` was not ready within {timeout:.0f} s; its log ends with:\n{tail}")

    @property
    def tree(self) -> list[psutil.Process]:
        """It and its descendants."""
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """Processor time of all its processes so far, of user and system."""
        total = 0.0
        for one in self.tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                total += times.user + times.system
        return total

    def resident_bytes(self) -> int:
        """Memory of all its processes that is in RAM; what they share counts for each."""
        total = 0
        for one in self.tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                total += one.memory_info().rss
        return total

    def sleep(self) -> None:
        """Stop all its processes where they are, so that an idle server takes nothing from the measured one.

        Raises:
            RuntimeError: One of them goes on.
        """
        self._signal(signal.SIGSTOP)
        deadline = time.monotonic() + _STOP_SECONDS
        # On a busy machine a process learns of the signal only when it is its turn.
        while not all(map(_rests, self.tree)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"a process of the server with id {self.process.pid} does not stop")
            time.sleep(_POLL_SECONDS)

    def wake(self) -> None:
        """Go on after `sleep`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        for one in self.tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(number)

    def stop(self, timeout: float = 20.0) -> None:
        """End it and its children."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self.wake()
            members = self.tree
            self.process.terminate()
            _, left = psutil.wait_procs(members, timeout)
            for one in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        self.process.wait(timeout)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2.0) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError, OSError):
        return False


def _rests(process: psutil.Process) -> bool:
    try:
        return process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
