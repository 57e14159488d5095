"""`torchrun` for one job, and how its processes ended: `python -m tuneloop_launch.supervise FOLDER PARENT`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tuneloop_launch.exchange import FAILURES, JOB, read_json, write_json
from tuneloop_launch.parent import end_with

_TOGETHER = 5
"""Seconds within which one process ends because another did; one that ignores torchrun's SIGTERM is killed after 30."""


def causes_first(failures: Iterable[tuple[int, int, int]]) -> list[dict[str, int]]:
    """How processes ended, causes before consequences.

    A process that loses its partner in the middle of an exchange may be aborted, and torchrun tells the rest to stop.

    Args:
        failures: Of each process that failed its rank, its exit code (-n for signal n), and when, in whole seconds.
    """
    found = list(failures)
    first = min((second for _, _, second in found), default=0)
    consequences = {-signal.SIGABRT: 1, -signal.SIGTERM: 2}
    found.sort(key=lambda failure: (failure[2] > first + _TOGETHER, consequences.get(failure[1], 0), failure[2]))
    return [{"rank": rank, "code": code} for rank, code, _ in found]


def main(folder: Path, parent: int) -> int:
    """Start the processes of the job the folder describes, again where one is lost; 0 where they did it."""
    end_with(parent)
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    job = read_json(folder / JOB)
    arguments = [
        "--nnodes=1",
        f"--nproc-per-node={job['processes']}",
        f"--max-restarts={job['restarts']}",
        "--monitor-interval=0.2",
        "--rdzv-backend=c10d",
        # By a file, as a port would be open to everybody on the network.
        "--rdzv-conf=store_type=file",
        f"--rdzv-endpoint={folder / 'meeting'}",
        f"--rdzv-id={folder.name}",
        "--local-addr=127.0.0.1",
        "-m",
        "tuneloop_launch.worker",
        str(folder),
    ]
    try:
        start: Any = run
        start.run(start.parse_args(arguments))
    except ChildFailedError as error:
        failures = ((rank, failure.exitcode, failure.timestamp) for rank, failure in error.failures.items())
        write_json(folder / FAILURES, causes_first(failures))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
