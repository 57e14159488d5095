"""Many calls, some at a time, each in a fresh process of this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from tuneloop.api import Outcome
from tuneloop_launch.exchange import ANSWER, JOB, read_errors, read_json, write_json

_TAIL = 600


def call_many(entry: str, arguments: Iterable[Mapping[str, Any]], parallel: int) -> Iterator[Outcome]:
    """The outcomes of `Launcher.run_many`; processes under way are ended when the caller asks for no more."""
    waiting = enumerate(arguments)
    running: dict[Future[Outcome], None] = {}
    processes: set[subprocess.Popen[bytes]] = set()
    pool = ThreadPoolExecutor(max(1, parallel), thread_name_prefix="tuneloop-call")
    try:
        while True:
            while len(running) < max(1, parallel) and (following := next(waiting, None)) is not None:
                running[pool.submit(_call, entry, *following, processes)] = None
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                del running[future]
                yield future.result()
    finally:
        for process in list(processes):
            process.kill()
        pool.shutdown(cancel_futures=True)


def _call(entry: str, position: int, argument: Mapping[str, Any], processes: set[subprocess.Popen[bytes]]) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="tuneloop-call-") as name:
        folder = Path(name)
        write_json(folder / JOB, {"entry": entry, "argument": dict(argument)})
        with (folder / "output").open("wb") as output:
            command = [sys.executable, "-m", "tuneloop_launch.alone", str(folder), str(os.getpid())]
            process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": import_path()},
            )
            processes.add(process)
            try:
                code = process.wait()
            finally:
                processes.discard(process)
        answer = read_json(folder / ANSWER)
        if code == 0 and answer is not None:
            return Outcome(position, answer["answer"])
        errors = read_errors(folder, 0)
        if errors:
            kind = "" if errors[0]["on_purpose"] else f"{errors[0]['type']}: "
            return Outcome(position, error=f"{kind}{errors[0]['text']}")
        said = (folder / "output").read_bytes()[-_TAIL:].decode(errors="replace").strip()
        return Outcome(position, error=f"its process {ended(code)}{f': {said}' if said else ''}")


def import_path() -> str:
    """Where this process imports from, as `PYTHONPATH` of another."""
    return os.pathsep.join(path for path in sys.path if path)


def ended(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"ended with code {code}"
    with contextlib.suppress(ValueError):
        name = signal.Signals(-code).name
        return f"was killed by {name}{' (as the system does when memory runs out)' if name == 'SIGKILL' else ''}"
    return f"was killed by signal {-code}"
