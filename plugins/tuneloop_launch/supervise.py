"""`torchrun` for one job, and how its processes ended: `python -m tuneloop_launch.supervise FOLDER PARENT`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tuneloop_launch.exchange import FAILURES, JOB, read_json, write_json
from tuneloop_launch.parent import end_with


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
        failures = [{"rank": rank, "code": failure.exitcode} for rank, failure in error.failures.items()]
        write_json(folder / FAILURES, failures)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
