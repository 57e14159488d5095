"""What is known about one installed plugin, loaded or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["loaded", "blocked", "incompatible", "conflict", "failed"]
Origin = Literal["wheel", "editable", "path"]


@dataclass(frozen=True, slots=True)
class PluginRecord:
    """One entry point of the group `tuneloop.plugins`, and what became of it.

    Attributes:
        name: The entry point's name.
        status: `conflict` has two cases: two distributions with one entry-point name (nothing of either is
            loaded), and two classes with one name (only that name cannot be used).
        distribution: The installed distribution that brings it.
        version: That distribution's version.
        module: What the entry point refers to.
        source: The module's file; None where it cannot be found.
        origin: Installed from a wheel, installed editable, or merely found on `sys.path`.
        came_from: The wheel, folder or URL it was installed from; empty for a package index.
        hooks: The hooks it implements, sorted.
        classes: Kind and name of each class it brings, in the order given.
        reason: Why it is not loaded; empty where it is.
        traceback: Of the error behind `reason`; empty where there was none.
        import_seconds: Wall time of its import; 0 where it was not imported.
    """

    name: str
    status: Status
    distribution: str
    version: str
    module: str = ""
    source: str | None = None
    origin: Origin = "path"
    came_from: str = ""
    hooks: tuple[str, ...] = ()
    classes: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    traceback: str = ""
    import_seconds: float = 0.0

    @property
    def label(self) -> str:
        """How messages name it: entry point, distribution and version."""
        return f"plugin {self.name!r} of {self.distribution} {self.version}"
