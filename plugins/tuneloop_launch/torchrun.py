"""Launcher `torchrun`: several processes on this machine train one model together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pydantic

from tuneloop.api import Job, Launcher, MissingExtraError, Outcome, Report, RunError, TuneloopError, unpack_error
from tuneloop_launch.exchange import ANSWER, FAILURES, JOB, RECORDS, read_errors, read_json, write_json
from tuneloop_launch.many import call_many, ended, import_path

_POLL = 0.1
_GRACE = 40.0
"""Seconds for processes that were told to stop; torchrun itself gives them 30."""
_RESUME = "`tuneloop run --resume` goes on from the last whole checkpoint"


class TorchrunOptions(pydantic.BaseModel):
    """Options of launcher `torchrun`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    processes: int = pydantic.Field(
        2, ge=1, le=1024, description="Processes that share each batch; on GPUs, one for each of them."
    )
    backend: Literal["auto", "gloo", "nccl"] = pydantic.Field(
        "auto",
        description="How they exchange gradients: `nccl` between GPUs, `gloo` between CPUs; `auto` takes nccl where "
        "there is a GPU for each process.",
    )
    restarts: int = pydantic.Field(
        1, ge=0, le=100, description="How often training goes on by itself from the last checkpoint after one is lost."
    )
    threads: int | None = pydantic.Field(
        None, ge=1, le=1024, description="Threads of each process; by default their share of the machine's cores."
    )


class Torchrun(Launcher):
    """Several processes on this machine, which share each batch: `torchrun` starts and watches them."""

    name = "torchrun"
    Options = TorchrunOptions

    options: TorchrunOptions

    @property
    def processes(self) -> int:
        """As the options say."""
        return self.options.processes

    def examine(self) -> str:
        """The backend, as far as the machine's devices tell."""
        devices = len(list(Path("/dev").glob("nvidia[0-9]*")))
        return f"{self.processes} processes on this machine, {self._backend(devices)}"

    def run(self, job: Job) -> Any:
        """Do the work in processes of this machine; those that are lost are started again as the options say."""
        backend = self._backend(_devices())
        with tempfile.TemporaryDirectory(prefix="tuneloop-torchrun-") as name:
            folder = Path(name)
            write_json(
                folder / JOB,
                {
                    "entry": job.entry,
                    "argument": dict(job.argument()),
                    "backend": backend,
                    "processes": self.processes,
                    "restarts": self.options.restarts,
                },
            )
            with (folder / "output").open("wb") as output:
                process = subprocess.Popen(
                    [sys.executable, "-m", "tuneloop_launch.supervise", str(folder), str(os.getpid())],
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    env=self._environment(),
                )
                try:
                    _follow(process, folder, job.report)
                finally:
                    _stop(process)
            answer = read_json(folder / ANSWER)
            if process.returncode or answer is None:
                raise self._failure(folder, process.returncode)
            return answer["answer"]

    def run_many(self, entry: str, arguments: Iterable[Mapping[str, Any]], parallel: int) -> Iterator[Outcome]:
        """Each call in a fresh process of this machine."""
        return call_many(entry, arguments, parallel)

    def _backend(self, devices: int) -> str:
        wanted = self.options.backend
        if wanted == "nccl" and devices < self.processes:
            raise RunError(
                f"launch.backend is nccl, which needs a CUDA device for each of the {self.processes} processes; "
                f"this machine has {devices}. Lower launch.processes, or set launch.backend to gloo"
            )
        return wanted if wanted != "auto" else "nccl" if devices >= self.processes else "gloo"

    def _environment(self) -> dict[str, str]:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        threads = str(self.options.threads or max(1, cores // self.processes))
        found = {**os.environ, "PYTHONPATH": import_path()}
        if self.options.threads or "OMP_NUM_THREADS" not in found:
            found["OMP_NUM_THREADS"] = threads
        if Path("/sys/class/net/lo").exists():
            # Else gradients go by the address of the machine's name, if it has any.
            found.setdefault("GLOO_SOCKET_IFNAME", "lo")
        return found

    def _failure(self, folder: Path, code: int) -> TuneloopError:
        attempts = [int(path.name.split("-")[1]) for path in folder.glob("error-*.json")]
        errors = read_errors(folder, max(attempts)) if attempts else []
        if errors and not errors[0]["lost"]:
            return unpack_error(errors[0], f"training process {errors[0]['rank']} of {self.processes}")
        killed = [failure for failure in read_json(folder / FAILURES) or [] if failure["code"] < 0]
        again = {0: "", 1: " It was started again once before."}.get(
            self.options.restarts, f" It was started again {self.options.restarts} times before."
        )
        if killed:
            lost = f"training process {killed[0]['rank']} of {self.processes} {ended(killed[0]['code'])}."
            return RunError(f"{lost}{again} {_RESUME}")
        if errors:
            return unpack_error(errors[0], f"training process {errors[0]['rank']} of {self.processes}")
        said = (folder / "output").read_bytes()[-2000:].decode(errors="replace").strip()
        return RunError(f"the training processes could not be started: torchrun {ended(code)}: {said}")


def _devices() -> int:
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("launcher 'torchrun'", "torch", "train") from error
    return int(torch.cuda.device_count())


def _follow(process: subprocess.Popen[bytes], folder: Path, report: Report) -> None:
    """Hand on each record until the process ends; a new attempt tells those of the one before again."""
    told, place, seen = 0, 0, dict[int, int]()
    while True:
        over = process.poll() is not None
        if (folder / RECORDS).exists():
            with (folder / RECORDS).open("rb") as file:
                file.seek(place)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    place += len(line)
                    found = json.loads(line)
                    seen[found["attempt"]] = number = seen.get(found["attempt"], 0) + 1
                    if number > told:
                        told = number
                        report(found["record"])
        if over:
            return
        time.sleep(_POLL)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
