"""The load generator as the benchmark drives it."""

from __future__ import annotations

from tests.bench.job import Job, Outcome
from tests.bench.talk import Talker


class Generator(Talker):
    """The process of `tests.bench.load`. Use as a context manager."""

    def __init__(self) -> None:
        super().__init__("tests.bench.load")

    def run(self, job: Job) -> Outcome:
        """Send what a job says, and wait for the outcome.

        Raises:
            RuntimeError: The generator ended; its traceback was shown.
        """
        return Outcome.model_validate_json(self.ask(job.model_dump_json()))
