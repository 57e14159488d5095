"""`plugins` of a project: which distributions it allows, read before any of them is imported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from packaging.utils import canonicalize_name

from tuneloop.config.document import MAX_BYTES, read_document
from tuneloop.config.problems import validate
from tuneloop.config.shape import PluginsShape
from tuneloop.plugins import PluginManager, PluginRules, default_manager
from tuneloop.plugins.discovery import HOME

SECTION = "plugins"


def project_plugins(file: Path) -> PluginManager:
    """The plugins of this process under the rules of a project file, loaded once for each set of rules.

    Args:
        file: The project file. Where there is none, it has no rules.
    """
    rules = read_rules(file)
    return default_manager() if rules == PluginRules() else default_manager(rules)


def read_rules(file: Path) -> PluginRules:
    """What a project file says about plugins; all the rest of it may be wrong.

    It guards against code that is not trusted: where this part cannot be read, nothing but Tuneloop's own is allowed.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return PluginRules()
    except OSError:
        return none_allowed(file)
    return parse_rules(content, file)


def parse_rules(content: bytes, file: Path) -> PluginRules:
    """`read_rules` of bytes that stand, or would stand, at `file`."""
    document = read_document(content)
    unread = [problem for problem in document.problems if problem.path[:1] in ((), (SECTION,))]
    if unread or not isinstance(document.value, Mapping):
        return none_allowed(file)
    if SECTION not in document.value:
        return PluginRules()
    shape, problems = validate(PluginsShape, document.value[SECTION], (SECTION,), document.line)
    if shape is None or problems:
        return none_allowed(file)
    allowed = ", ".join(shape.only or ()) or "none"
    return PluginRules(
        block=tuple(name for name in shape.block if canonicalize_name(name) != HOME),
        only=None if shape.only is None else tuple(shape.only),
        block_reason=f"{file} blocks it (plugins.block): `tuneloop plugins unblock --project {file.parent} "
        "{distribution}` allows it again",
        only_reason=f"{file} allows no others than these (plugins.only): {allowed}",
    )


def none_allowed(file: Path) -> PluginRules:
    """The rules of a file whose own cannot be read."""
    return PluginRules(
        only=(),
        only_reason=f"what {file} says of plugins cannot be read, so only Tuneloop's own are allowed: "
        "mend it first; `tuneloop doctor` shows what is wrong with it",
    )
