"""From the name that a person gives to the names in code; says no to those that would not work."""

from __future__ import annotations

import builtins
import importlib.util
import keyword
import re
from collections.abc import Collection
from dataclasses import dataclass

from tuneloop import api
from tuneloop.api import TuneloopError

_GOOD = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PREFIX = "tuneloop-"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one new plugin.

    Attributes:
        distribution: What pip shows, such as `tuneloop-exact-share`; also the entry point and the folder.
        module: What Python imports, such as `tuneloop_exact_share`.
        plugin: What a project says, such as `exact-share`; metrics have underscores.
        cls: The class, such as `ExactShare`.
        variable: The prefix of environment variables, such as `EXACT_SHARE`.
    """

    distribution: str
    module: str
    plugin: str
    cls: str
    variable: str


def read_names(name: str, kind: str, taken: Collection[str] = ()) -> Names:
    """The names for a plugin called `name`.

    Args:
        name: What the person typed.
        kind: As in `TEMPLATES`.
        taken: Names of this kind that installed plugins have.

    Raises:
        TuneloopError: The name is no good; offers one that is.
    """
    if not _GOOD.fullmatch(name):
        better = re.sub(r"[^a-z0-9]+", "-", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()).strip("-0123456789")
        offer = f" Try {better!r}." if _GOOD.fullmatch(better) else ""
        raise TuneloopError(
            f"{name!r} cannot be the name of a plugin: use small letters, digits and single dashes, "
            f"beginning with a letter, such as 'tuneloop-exact-share'.{offer}"
        )
    module = name.replace("-", "_")
    short = name.removeprefix(_PREFIX)
    if keyword.iskeyword(module) or _importable(module):
        raise TuneloopError(
            f"{name!r} cannot be the name of a plugin: Python already has a module {module!r}, and one would hide the "
            f"other. Try {f'{_PREFIX}my-{short}'!r}."
        )
    plugin = short.replace("-", "_") if kind == "metric" else short
    if plugin in taken:
        raise TuneloopError(
            f"there is a {kind.replace('-', ' ')} named {plugin!r} (`tuneloop plugins show {plugin}`), and with "
            f"two of one name neither can be used. Try {f'{_PREFIX}my-{short}'!r}."
        )
    cls = "".join(part.capitalize() for part in short.split("-"))
    if not cls[0].isalpha() or keyword.iskeyword(cls) or hasattr(builtins, cls) or cls in _TEMPLATE_NAMES:
        cls = f"My{cls}"
    return Names(name, module, plugin, cls, short.upper().replace("-", "_"))


_TEMPLATE_NAMES = {*api.__all__, "Choice", "Settings", "Network", "Wrapper"}
"""Names that templates use themselves."""


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return True
