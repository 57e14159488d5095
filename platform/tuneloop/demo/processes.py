"""The demo's commands: the same `tuneloop` commands a user types, as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tuneloop.api import ServingError

_POLL_SECONDS = 0.2
_TAIL_BYTES = 3000
Value = TypeVar("Value")


def command_environment(folder: Path) -> dict[str, str]:
    """This process's, without the tokens and keys of servers that are no demo: its traffic would be refused."""
    from tuneloop.serving.trust.signature import SIGN_VARIABLE, VERIFY_VARIABLE
    from tuneloop.serving.trust.tokens import VARIABLES

    left_out = {*VARIABLES.values(), SIGN_VARIABLE, VERIFY_VARIABLE}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, "PYTHONUNBUFFERED": "1", "TUNELOOP_PROJECT": str(folder)}


class Command:
    """One running `tuneloop` command; its output goes to a log file."""

    def __init__(self, arguments: Sequence[str], folder: Path, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log, self.name = log, arguments[0]
        self._read = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tuneloop.cli.main", *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=command_environment(folder),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def lines(self) -> list[str]:
        """What it printed since the last call."""
        with self.log.open("rb") as stream:
            stream.seek(self._read)
            new = stream.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        return [line.strip() for line in whole.decode(errors="replace").splitlines() if line.strip()]

    def finish(self, say: Callable[[str], None], timeout: float) -> None:
        """Wait until it ends well, passing on what it prints.

        Raises:
            ServingError: It failed, or took too long; quotes the end of its log.
        """
        deadline = time.monotonic() + timeout
        while (status := self._process.poll()) is None and time.monotonic() < deadline:
            for line in self.lines():
                say(line)
            time.sleep(_POLL_SECONDS)
        if status != 0:
            self.stop()
            raise ServingError(f"`tuneloop {self.name}` {_ended(status)}; {self.tail()}")

    def until(self, what: str, ask: Callable[[], Value | None], timeout: float) -> Value:
        """Wait until `ask` gives something while the command runs.

        Raises:
            ServingError: The command ended, or it took too long; says what was waited for.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            found = ask()
            if found is not None:
                return found
            if (status := self._process.poll()) is not None:
                raise ServingError(f"`tuneloop {self.name}` {_ended(status)} before {what}; {self.tail()}")
            time.sleep(_POLL_SECONDS)
        raise ServingError(f"{what}: waited {timeout:.0f} s in vain; {self.tail()}")

    def stop(self, timeout: float = 30.0) -> None:
        """End it as Ctrl-C does; by force if it does not listen."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def tail(self) -> str:
        """The end of its log."""
        text = self.log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
        return f"the end of {self.log}:\n{text}"


def fetch(url: str) -> Any:
    """The JSON at an address, or None while it cannot be had."""
    import httpx

    try:
        response = httpx.get(url, timeout=5)
    except httpx.HTTPError:
        return None
    return response.json() if response.status_code == httpx.codes.OK else None


def answers(url: str) -> bool | None:
    """True once an address answers 200, None before."""
    import httpx

    try:
        return True if httpx.get(url, timeout=5).status_code == httpx.codes.OK else None
    except httpx.HTTPError:
        return None


def _ended(status: int | None) -> str:
    return "took too long" if status is None else f"ended with status {status}"
