"""What the demo shows while it works: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status


class Display:
    """Stages, one after another; each ends with its time and one sentence about what came of it.

    Args:
        console: Where to show it.
        stages: How many stages there will be.
    """

    def __init__(self, console: Console, stages: int) -> None:
        self.console = console
        self._stages, self._stage = stages, 0
        self._status: Status | None = None
        self._title = ""

    @contextmanager
    def stage(self, title: str) -> Iterator[Display]:
        """One stage; what `say` and `done` are given belongs to it."""
        self._stage += 1
        self._title = f"{self._stage}/{self._stages} {title}"
        begun = time.monotonic()
        if self.console.is_terminal:
            self._status = self.console.status(self._title)
            self._status.start()
        else:
            self.console.print(self._title, highlight=False)
        self._outcome = ""
        try:
            yield self
        except BaseException:
            self._end()
            self.console.print(f"[red]✗[/red] {self._title}", highlight=False)
            raise
        self._end()
        seconds = f"{time.monotonic() - begun:.0f} s"
        if self.console.is_terminal:
            self.console.print(f"[green]✓[/green] {self._title} [dim]({seconds})[/dim]", highlight=False)
        if self._outcome:
            self.console.print(f"    {self._outcome} {'' if self.console.is_terminal else f'({seconds})'}".rstrip())

    def say(self, text: str) -> None:
        """What is going on now: replaces the live line, or is one more plain line."""
        if self._status is not None:
            self._status.update(f"{self._title} [dim]{text}[/dim]")
        else:
            self.console.print(f"    {text}", highlight=False)

    def done(self, outcome: str) -> None:
        """What came of the stage; shown when it ends."""
        self._outcome = outcome

    def _end(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
