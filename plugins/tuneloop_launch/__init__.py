"""Launchers of this machine: `local`, in the process of the run, and `torchrun`, in several."""

from __future__ import annotations

from collections.abc import Sequence

from tuneloop.api import Launcher, hookimpl
from tuneloop_launch.local import Local
from tuneloop_launch.torchrun import Torchrun

__all__ = ["Local", "Torchrun"]

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_launchers() -> Sequence[type[Launcher]]:
    return [Local, Torchrun]
