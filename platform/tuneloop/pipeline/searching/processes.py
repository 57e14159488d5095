"""Trials in processes of this machine, several at a time; each is kept for the next trial, as imports take seconds."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from tuneloop.api import Outcome

_WORKER = "tuneloop.pipeline.searching.worker"


def run_many(entry: str, arguments: Iterable[Mapping[str, Any]], parallel: int, log: Path) -> Iterator[Outcome]:
    """Call a function for each argument; see `Launcher.run_many`.

    Args:
        entry: `module:function`, called as `function(argument, report)`.
        arguments: JSON values; the next one is asked for when a process is free.
        parallel: Processes, at most.
        log: What they print is added there.
    """
    waiting = enumerate(arguments)
    crew = _Crew(parallel, log)
    try:
        left = True
        while True:
            while left and crew.has_room:
                position, argument = next(waiting, (-1, {}))
                left = position >= 0
                if left:
                    crew.give(position, {"entry": entry, "argument": argument})
            if not crew.busy:
                return
            yield crew.take()
    finally:
        crew.dismiss()


class _Crew:
    def __init__(self, most: int, log: Path) -> None:
        self._most, self._log = most, log
        self._free: list[subprocess.Popen[bytes]] = []
        self._at_work: dict[int, tuple[subprocess.Popen[bytes], int]] = {}
        self._selector = selectors.DefaultSelector()

    @property
    def has_room(self) -> bool:
        return len(self._at_work) < self._most

    @property
    def busy(self) -> bool:
        return bool(self._at_work)

    def give(self, position: int, wanted: Mapping[str, Any]) -> None:
        worker = self._free.pop() if self._free else self._start()
        source = _pipe(worker.stdout)
        self._at_work[source.fileno()] = worker, position
        self._selector.register(source, selectors.EVENT_READ)
        # One that died while it was free is noticed by the end of its output.
        with contextlib.suppress(BrokenPipeError):
            sink = _pipe(worker.stdin)
            sink.write(json.dumps(wanted).encode() + b"\n")
            sink.flush()

    def take(self) -> Outcome:
        """The next answer, or the news that a process died."""
        key = self._selector.select()[0][0]
        worker, position = self._at_work.pop(key.fd)
        self._selector.unregister(key.fileobj)
        line = _pipe(worker.stdout).readline()
        if line.endswith(b"\n"):
            self._free.append(worker)
            found = json.loads(line)
            return Outcome(position, found.get("answer"), found.get("error"))
        self._end(worker)
        code = worker.returncode
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return Outcome(position, None, f"its process {how}; {self._log} tells more")

    def dismiss(self) -> None:
        for worker in [*self._free, *(worker for worker, _ in self._at_work.values())]:
            self._end(worker, kill=True)
        self._selector.close()

    def _start(self) -> subprocess.Popen[bytes]:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        threads = str(max(1, cores // self._most))
        with self._log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", _WORKER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
                # OpenMP's threads would wait for each other by spinning, on cores that other trials need.
                env={"OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE", **os.environ},
            )

    def _end(self, worker: subprocess.Popen[bytes], *, kill: bool = False) -> None:
        if kill:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        for pipe in (worker.stdin, worker.stdout):
            with contextlib.suppress(BrokenPipeError):
                _pipe(pipe).close()


def _pipe(found: IO[bytes] | None) -> IO[bytes]:
    assert found is not None
    return found
