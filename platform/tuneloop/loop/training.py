"""Trains in a process of its own and waits for what its record says."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from tuneloop.api import RunError
from tuneloop.pipeline.runs.records import RunStatus, is_active, read_status, run_folder

logger = logging.getLogger(__name__)

ATTEMPTS = 3
"""How often a training that dies without a word, as one killed for its memory does, is started."""
LOG = "loop.log"
_MOST_SAID = 300
_POLL_SECONDS = 0.1
_ORPHAN_SECONDS = 30.0


class Stopped(BaseException):
    """The loop is asked to end. No `Exception`: DBOS must not record it as the outcome of a step."""


class Training:
    """Starts the pipeline of a run in a child process.

    Args:
        project_file: `tuneloop.yaml`.
        state: The project's `.tuneloop`.
        stopping: Set when the loop is asked to end; the child is ended then.
    """

    def __init__(self, project_file: Path, state: Path, stopping: threading.Event) -> None:
        self._file, self._state, self._stopping = project_file, state, stopping

    def run(self, run: str, feedback: Path) -> RunStatus:
        """Start the run, or go on with it, and wait for its end; a run that has ended is not started again.

        Args:
            run: The run's id.
            feedback: JSON lines of labelled rows.

        Returns:
            Its status: `passed`, `refused` or `failed`, the last also where it died time and again.

        Raises:
            Stopped: The loop is asked to end.
            RunError: Another process is at work on the run.
        """
        folder = run_folder(self._state, run)
        for attempt in range(1, ATTEMPTS + 1):
            self._wait_for_orphan(folder)
            status = read_status(folder)
            if status.state != "running":
                return status
            code = self._attempt(run, feedback, folder)
            status = read_status(folder)
            if status.state != "running":
                return status
            logger.warning("the training of run %s ended with status %d, attempt %d", run, code, attempt)
        words = f"training died {ATTEMPTS} times; {folder / LOG} tells more{_last_words(folder / LOG)}"
        return RunStatus(state="failed", reasons=(words,))

    def _attempt(self, run: str, feedback: Path, folder: Path) -> int:
        command = [sys.executable, "-m", "tuneloop.loop.child", str(self._file), run, str(feedback)]
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOG).open("ab") as output:
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # It trains beside a server. OpenMP's threads wait for each other by spinning: where another process
                # takes one of the cores, that made training 2 to 3.5 times slower than waiting passively.
                env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ},
            )
        try:
            while (code := child.poll()) is None:
                if self._stopping.wait(_POLL_SECONDS):
                    raise Stopped
            return code
        finally:
            if child.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            if child.stdin is not None:
                child.stdin.close()

    def _wait_for_orphan(self, folder: Path) -> None:
        """The child of a loop that was just killed notices it within moments."""
        deadline = time.monotonic() + _ORPHAN_SECONDS
        while is_active(folder):
            if time.monotonic() > deadline:
                raise RunError(f"run {folder.name!r} is at work in another process; wait for it, or end it")
            if self._stopping.wait(_POLL_SECONDS):
                raise Stopped


def _last_words(log: Path) -> str:
    """The last line of a log, as the end of a sentence; empty where there is none."""
    with contextlib.suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        if said := next((line.strip() for line in reversed(lines) if line.strip()), ""):
            return f". Its last line: {said[:_MOST_SAID]}"
    return ""
