"""Launcher `local`: training in the process of the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tuneloop.api import Job, Launcher, Outcome
from tuneloop_launch.many import call_many


class Local(Launcher):
    """In the process of the run; many calls in processes of their own on this machine."""

    name = "local"

    def run(self, job: Job) -> Any:
        """Do the work here."""
        return job.here()

    def run_many(self, entry: str, arguments: Iterable[Mapping[str, Any]], parallel: int) -> Iterator[Outcome]:
        """Each call in a fresh process of this machine."""
        return call_many(entry, arguments, parallel)
