"""The process a retraining runs in: `python -m tuneloop.loop.child PROJECT RUN FEEDBACK`.

A process of its own gives the memory of training back, keeps a crash of it away from the receiver, and can be ended at
once. It lives on a leash: when its standard input ends, because the loop stopped or was killed, it ends itself with all
its own children, so that a restarted loop never finds a training at work that nobody waits for.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

_NICENESS = 5
"""The server on the same machine comes first."""


def hold_leash() -> None:
    """From now on, end this process and its group when standard input ends."""
    threading.Thread(target=_wait_for_end, name="tuneloop-leash", daemon=True).start()


def _wait_for_end() -> None:
    while os.read(0, 1024):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Run the pipeline with feedback, or go on with it. What became of it stands in the run's record.

    Args:
        arguments: The project file, the run's id, and the file of labelled rows.
    """
    hold_leash()
    os.nice(_NICENESS)
    file, run, feedback = arguments
    from tuneloop.api import RunError
    from tuneloop.config import load_project, project_plugins
    from tuneloop.pipeline.runs.run import resume_run, run_pipeline
    from tuneloop.pipeline.runs.sharing import take_request

    plugins = project_plugins(Path(file))
    project = load_project(Path(file), plugins)
    try:
        # It may have begun on another machine, which put it into the project's storage.
        take_request(project, run)
    except RunError:
        run_pipeline(project, plugins, run_id=run, feedback=Path(feedback), who="loop")
    else:
        # With the project file and the labelled rows as they were when the run began.
        resume_run(project, plugins, run)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
