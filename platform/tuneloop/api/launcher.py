"""Where training runs."""

from __future__ import annotations

import importlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeAlias

from tuneloop.api.errors import PluginError
from tuneloop.api.plugin import Plugin

_called: ContextVar[bool] = ContextVar("tuneloop_called", default=False)

Report: TypeAlias = Callable[[Mapping[str, float]], None]
"""Told each record of a training's history."""


@dataclass(frozen=True, slots=True)
class Job:
    """Work for a group of processes that do it together, or for this process alone.

    Attributes:
        entry: `module:function` of an installed package; each process of the group calls it as
            `function(argument, report)`. Called again after a process was lost, it goes on from what was kept.
        argument: Gives the argument, JSON values, and writes the files it names; called only where other processes do
            the work.
        here: Does the same in this process.
        report: Told each record that the group's first process reports, each once.
    """

    entry: str
    argument: Callable[[], Mapping[str, Any]]
    here: Callable[[], Any]
    report: Report


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one of many calls ended.

    Attributes:
        position: Of its argument, counted from 0.
        answer: What the function gave; None where it failed.
        error: Why it failed, or how its process was lost; None where it did not.
    """

    position: int
    answer: Any = None
    error: str | None = None


class Launcher(Plugin):
    """Where training runs: in this process, in several, or on a cluster.

    ```python
    class WhenIdle(Launcher):
        'In this process, once the machine has nothing else to do.'

        name = "when-idle"

        class Options(pydantic.BaseModel, extra="forbid"):
            load: float = pydantic.Field(0.5, gt=0, description="Load average of the last minute to wait for.")

        def run(self, job):
            import os, time

            while os.getloadavg()[0] > self.options.load:
                time.sleep(5)
            return job.here()
    ```

    The processes of a group find each other as those of `torchrun` do: `RANK`, `WORLD_SIZE`, `LOCAL_RANK`,
    `MASTER_ADDR` and `MASTER_PORT` are set, and torch's process group is there where there are several.
    """

    @property
    def shares_files(self) -> bool:
        """Whether all its processes see the files of this one; where not, `storage` of the project carries them."""
        return True

    @property
    def processes(self) -> int:
        """How many processes train one model together."""
        return 1

    def examine(self) -> str:
        """Look whether the launcher could start now, and say what was found; nothing is started.

        Raises:
            TuneloopError: It could not; says what to do.
        """
        return "this machine"

    @abstractmethod
    def run(self, job: Job) -> Any:
        """Do the work, and give what the entry gave in the group's first process.

        Raises:
            TuneloopError: As the entry raised it, or saying how a process was lost.
        """

    def run_many(
        self,
        entry: str,
        arguments: Iterable[Mapping[str, Any]],  # noqa: ARG002
        parallel: int,  # noqa: ARG002
    ) -> Iterator[Outcome]:
        """Call a function for each argument, in processes of their own, some at a time; the outcomes as they come.

        Args:
            entry: As in `Job`; what it reports is dropped.
            arguments: JSON values; the next one is asked for when a place is free, after the outcomes so far were
                taken.
            parallel: Calls at a time, at most.

        Raises:
            PluginError: This launcher cannot.
        """
        raise PluginError(f"launcher {self.name!r} cannot make several calls at a time, such as of {entry}")

    def run_stream(
        self,
        entry: str,
        settings: Mapping[str, Any],  # noqa: ARG002
        items: Iterable[Any],  # noqa: ARG002
        parallel: int,  # noqa: ARG002
    ) -> Iterator[Any]:
        """Answer items in processes that begin once and then answer many; the answers in the order of the items.

        Args:
            entry: `module:function` of an installed package: called with `settings` in each process, it gives the
                function that answers an item.
            settings: JSON values.
            items: Values of plain types; read as they are needed. Tuples in them, and in answers, may arrive as lists.
            parallel: Processes.

        Raises:
            PluginError: This launcher cannot.
            TuneloopError: As the entry raised it, or saying how a process was lost.
        """
        raise PluginError(f"launcher {self.name!r} cannot answer a stream of items, such as by {entry}")


def begin(entry: str, settings: Mapping[str, Any]) -> Callable[[Any], Any]:
    """What answers items, made by the function that `module:function` names: what `run_stream`'s processes begin with.

    Raises:
        PluginError: There is no such function.
    """
    mark = _called.set(True)
    try:
        found: Callable[[Any], Any] = _named(entry)(settings)
    finally:
        _called.reset(mark)
    return found


def call(entry: str, argument: Mapping[str, Any], report: Report) -> Any:
    """Import the function that `module:function` names, and call it: what a launcher's processes do.

    Raises:
        PluginError: There is no such function.
    """
    function = _named(entry)
    mark = _called.set(True)
    try:
        return function(argument, report)
    finally:
        _called.reset(mark)


def _named(entry: str) -> Any:
    module, _, name = entry.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"{entry!r} cannot be called here: {error}. Every machine that takes part needs the same installation "
            "of Tuneloop and its plugins"
        ) from error


def is_launched() -> bool:
    """Whether this is the work of a launcher's process, by `call`: it then starts no others by a launcher."""
    return _called.get()
