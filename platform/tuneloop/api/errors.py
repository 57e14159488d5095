"""Every error Tuneloop raises on purpose.

```
TuneloopError                 the root: message says what, where, and what to do next
├── ConfigError               tuneloop.yaml is wrong; holds every problem with its line
├── PluginError               a plugin cannot be found, loaded or used
│   ├── UnknownPluginError    a name no loaded plugin has; lists the nearest and the known ones
│   ├── PluginConflictError   two plugins answer where only one may
│   └── MissingExtraError     a library is absent; prints the `pip install` line
├── DataError                 rows cannot be read or do not fit the task
│   └── RequestError          one request row is refused; names the field and the reason
├── ArtifactError             an artifact folder is incomplete, altered or from another world
├── RunError                  a pipeline step failed
│   ├── VerificationError     the exported model does not answer as the tuned one does
│   └── UndefinedMetricError  a metric that is needed has no value on the rows there are
├── GateRefusedError               a challenger did not pass; holds the reasons
├── StorageError              a shared folder or an object store cannot be read or written
├── RegistryError             the model registry has no such version, or cannot be reached
└── ServingError              a server, channel or Bento cannot be built or reached
```
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class TuneloopError(Exception):
    """The root of all errors raised on purpose; its text is meant to be read by a person."""


class ConfigError(TuneloopError):
    """`tuneloop.yaml` is wrong. `problems` holds one line a problem, in file order."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__("\n".join([f"{count} in the project file:", *(f"  {line}" for line in self.problems)]))


class PluginError(TuneloopError):
    """A plugin cannot be found, loaded or used."""


class UnknownPluginError(PluginError):
    """No loaded plugin has this name."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        listed = ", ".join(names) or "none"
        super().__init__(f"there is no {kind} named {name!r}.{guess} Known: {listed}.{' ' + hint if hint else ''}")
        self.kind, self.name, self.known = kind, name, tuple(names)


class PluginConflictError(PluginError):
    """Two plugins answer where only one may."""


class MissingExtraError(PluginError):
    """A library that a part needs is not installed."""

    def __init__(self, part: str, module: str, extra: str) -> None:
        super().__init__(
            f"{part} needs the Python package {module!r}, which is not installed. "
            f"Install it with: pip install 'tuneloop[{extra}]'"
        )


class DataError(TuneloopError):
    """Rows cannot be read, or do not fit the task."""


class RequestError(DataError):
    """One request row is refused. `field` names the column, `row` its position (None: the whole request)."""

    def __init__(self, reason: str, *, field: str | None = None, row: int | None = None) -> None:
        where = "".join([f"row {row}, " if row is not None else "", f"field {field!r}: " if field is not None else ""])
        super().__init__(f"{where}{reason}")
        self.reason, self.field, self.row = reason, field, row


class ArtifactError(TuneloopError):
    """An artifact folder is incomplete, altered, or written by another version."""


class RunError(TuneloopError):
    """A pipeline step failed."""


class VerificationError(RunError):
    """The exported model does not answer as the tuned one does."""


class UndefinedMetricError(RunError):
    """A metric that is needed has no value on the rows there are, such as one of ranks where all are of one class."""


class GateRefusedError(TuneloopError):
    """A challenger did not pass the gate. `reasons` holds one sentence a failed check."""

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("the gate refused the challenger: " + "; ".join(self.reasons))


class StorageError(TuneloopError):
    """A shared folder or an object store cannot be read or written; names the URL, never a password."""


class RegistryError(TuneloopError):
    """The model registry has no such model, version or alias, or cannot be reached."""


class ServingError(TuneloopError):
    """A server, channel or Bento cannot be built, started or reached."""
