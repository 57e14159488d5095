"""What every plugin class has."""

from __future__ import annotations

from abc import ABC
from typing import Any, ClassVar

import pydantic


class NoOptions(pydantic.BaseModel):
    """The options of a plugin that has none: any key is an error."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Plugin(ABC):
    """What every plugin class has: a name, described options, and one constructor."""

    name: ClassVar[str]
    """How the project file refers to it; unique within its kind."""
    Options: ClassVar[type[pydantic.BaseModel]] = NoOptions
    """A pydantic model; every field has a description, which becomes the reference page."""

    def __init__(self, options: Any = None) -> None:
        self.options: Any = self.Options() if options is None else options
