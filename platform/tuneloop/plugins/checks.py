"""What a plugin must fulfil before it is registered. Each failed check raises a `FaultError`."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterable
from typing import Any

import pluggy
import pydantic
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from tuneloop.api import API_VERSION, Plugin
from tuneloop.plugins.kinds import KindInfo, hook_arguments
from tuneloop.plugins.names import nearest
from tuneloop.plugins.record import Status


class FaultError(Exception):
    """Why a plugin is not loaded."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def check_api(stated: object, module: str) -> None:
    """Compare a plugin's `TUNELOOP_API` with the version of this API.

    Raises:
        FaultError: It is absent, no version range, or leaves this API out.
    """
    major = API_VERSION.partition(".")[0]
    example = f'TUNELOOP_API = ">={major},<{int(major) + 1}"'
    if stated is None:
        raise FaultError("incompatible", f"{module} does not say which plugin API it was written for: add {example}")
    try:
        accepted = SpecifierSet(stated).contains(API_VERSION) if isinstance(stated, str) and stated else None
    except InvalidSpecifier:
        accepted = None
    if accepted is None:
        raise FaultError(
            "incompatible", f"TUNELOOP_API = {stated!r} is no version range: write, for example, {example}"
        )
    if not accepted:
        raise FaultError(
            "incompatible",
            f"it was written for plugin API {stated}, and this Tuneloop has {API_VERSION}: "
            "install a version of the plugin made for it",
        )


def find_hooks(plugin: object) -> dict[str, Any]:
    """The hook functions of a plugin by hook name.

    Raises:
        FaultError: One is misspelt, takes arguments its hook does not give, wraps others, or lacks its mark.
    """
    known = hook_arguments()
    reader = pluggy.PluginManager("tuneloop")
    hooks: dict[str, Any] = {}
    problems: list[str] = []
    for attribute in dir(plugin):
        options = reader.parse_hookimpl_opts(plugin, attribute)
        if options is None:
            if attribute in known and _forgotten(plugin, attribute):
                problems.append(f"the function {attribute} is not marked with @hookimpl")
            continue
        name = options.get("specname") or attribute
        if name not in known:
            if not options.get("optionalhook"):
                problems.append(f"there is no hook {name!r}.{nearest(name, known)} Known: {', '.join(sorted(known))}")
            continue
        function = getattr(plugin, attribute)
        if options.get("wrapper") or options.get("hookwrapper"):
            problems.append(f"{name} is a hook wrapper, which no hook of Tuneloop allows")
        given = known[name]
        excess = [
            argument for argument in pluggy.HookImpl(plugin, "", function, options).argnames if argument not in given
        ]
        if excess:
            problems.append(
                f"{name} takes {', '.join(map(repr, excess))}, but this hook gives "
                + (", ".join(map(repr, given)) if given else "no arguments")
            )
        hooks[name] = function
    if problems:
        raise FaultError("failed", "; ".join(problems))
    if not hooks:
        raise FaultError("failed", f"it has no hook function marked with @hookimpl. Known: {', '.join(sorted(known))}")
    return hooks


def check_classes(answer: object, info: KindInfo) -> list[type[Plugin]]:
    """The classes a hook returned, each fit to be used.

    Raises:
        FaultError: The answer is no list of such classes; names every class and what is wrong with it.
    """
    if isinstance(answer, (str, bytes)) or not isinstance(answer, Iterable):
        raise FaultError(
            "failed", f"{info.hook} returned {_short(answer)}: return a list of {info.base.__name__} classes"
        )
    classes = list(answer)
    problems = [f"{_short(item)}: {problem}" for item in classes for problem in _class_problems(item, info)]
    if problems:
        raise FaultError("failed", f"{info.hook} returned classes that cannot be used: " + "; ".join(problems))
    names = [item.name for item in classes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FaultError("failed", f"{info.hook} returned two classes with one name: {', '.join(map(repr, twice))}")
    return classes


def _class_problems(item: object, info: KindInfo) -> list[str]:
    base = info.base
    if not isinstance(item, type):
        return [f"it is not a class; return {base.__name__} classes, not instances"]
    if not issubclass(item, base):
        return [f"it does not derive from tuneloop.api.{base.__name__}"]
    problems: list[str] = []
    missing = sorted(getattr(item, "__abstractmethods__", ()))
    if missing:
        problems.append(f"it lacks {', '.join(missing)}")
    name = getattr(item, "name", None)
    if not isinstance(name, str) or not name or name != "".join(name.split()):
        problems.append(f"its `name` is {name!r}; give a text without blanks")
    unset = sorted(attribute for attribute in _declared(base) - {"name", "Options"} if not hasattr(item, attribute))
    if unset:
        problems.append(f"it does not set {', '.join(unset)}")
    options = item.Options
    if not (isinstance(options, type) and issubclass(options, pydantic.BaseModel)):
        return [*problems, f"its Options is {_short(options)}; make it a subclass of pydantic.BaseModel"]
    bare = [field for field, spec in options.model_fields.items() if not (spec.description or "").strip()]
    if bare:
        problems.append(f"its Options describes no {', '.join(bare)}; use pydantic.Field(description=...)")
    taken = sorted({spec.alias or field for field, spec in options.model_fields.items()} & info.reserved)
    if taken:
        problems.append(f"its Options has {', '.join(taken)}, which the project file uses for itself in that section")
    return problems


def _declared(base: type) -> set[str]:
    """Class variables that an abstract class and its parents declare."""
    return {
        name
        for parent in base.__mro__
        for name, note in vars(parent).get("__annotations__", {}).items()
        if str(note).startswith("ClassVar")
    }


def _forgotten(plugin: object, attribute: str) -> bool:
    function = getattr(plugin, attribute)
    return (
        isinstance(plugin, types.ModuleType) and inspect.isfunction(function) and function.__module__ == plugin.__name__
    )


def _short(value: object) -> str:
    text = value.__qualname__ if isinstance(value, type) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
