"""One of the processes that `torchrun` starts: `python -m tuneloop_launch.worker FOLDER`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tuneloop.api import call
from tuneloop_launch.exchange import ANSWER, JOB, RECORDS, read_errors, read_json, write_error, write_json
from tuneloop_launch.parent import end_with


def main(folder: Path) -> int:
    """Take part in the work that the folder describes; 0 where it is done."""
    end_with(os.getppid())
    rank, attempt = int(os.environ["RANK"]), int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    if any(not error["lost"] for error in read_errors(folder, attempt - 1)):
        # What fails once by itself fails again: only a lost process is worth another attempt.
        return 1
    job = read_json(folder / JOB)

    def report(record: Mapping[str, float]) -> None:
        if rank == 0:
            with (folder / RECORDS).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"attempt": attempt, "record": dict(record)}) + "\n")

    try:
        _join(folder / f"group-{attempt}", job["backend"])
        answer = call(job["entry"], job["argument"], report)
        if rank == 0:
            write_json(folder / ANSWER, {"answer": answer})
    except Exception as error:
        write_error(folder, attempt, rank, error)
        return 1
    _leave()
    return 0


def _join(file: Path, backend: str) -> None:
    """Meet the others by a file: no port is opened that somebody else could reach."""
    world = int(os.environ["WORLD_SIZE"])
    if world == 1:
        return
    import torch
    import torch.distributed as dist

    if backend == "nccl":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group(backend, init_method=file.as_uri(), rank=int(os.environ["RANK"]), world_size=world)


def _leave() -> None:
    if int(os.environ["WORLD_SIZE"]) > 1:
        import torch.distributed as dist

        dist.barrier()
        dist.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
