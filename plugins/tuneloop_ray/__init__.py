"""Ray: training and other work on a cluster."""

from __future__ import annotations

from collections.abc import Sequence

from tuneloop.api import Launcher, hookimpl
from tuneloop_ray.launcher import RayLauncher

__all__ = ["RayLauncher"]

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_launchers() -> Sequence[type[Launcher]]:
    return [RayLauncher]
