"""A helper process that takes one JSON line a job and gives one JSON line back."""

from __future__ import annotations

import subprocess
import sys
from types import TracebackType
from typing import Self

import psutil


class Talker:
    """A Python module run as such a process. Use as a context manager.

    Args:
        module: With a `main` that reads its standard input until the end.
        arguments: On its command line.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def ask(self, line: str) -> str:
        """One job's answer.

        Raises:
            RuntimeError: The process ended; its traceback was shown.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self._module} ended with status {self._process.wait(30)}")
        return answer

    def cpu_seconds(self) -> float:
        """Processor time of the process so far, of user and system."""
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def stop(self) -> None:
        """End its input, and wait for it to end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(30)
