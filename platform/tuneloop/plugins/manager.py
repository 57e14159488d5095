"""Load every plugin that can be loaded, resolve names to classes, and tell observers what happened."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

import pluggy
import pydantic

from tuneloop.api import Plugin, PluginConflictError, PluginError, TuneloopError, UnknownPluginError, hookspecs
from tuneloop.plugins import trace
from tuneloop.plugins.checks import FaultError
from tuneloop.plugins.discovery import HOME, Candidate, discover
from tuneloop.plugins.kinds import Kind, hook_arguments, kind_info
from tuneloop.plugins.loader import Loaded, load_plugin, refuse
from tuneloop.plugins.loading import describe, import_plugin, logger
from tuneloop.plugins.policy import Policy
from tuneloop.plugins.record import PluginRecord
from tuneloop.plugins.rules import PluginRules, environment_rules, user_rules

if TYPE_CHECKING:
    from tuneloop.api import (
        BaseModel,
        DataSource,
        Detector,
        Exporter,
        Launcher,
        Metric,
        Preprocessor,
        Signal,
        Strategy,
        Task,
        Transform,
    )

Group = TypeVar("Group")


class PluginManager:
    """All installed plugins.

    ```python
    plugins = PluginManager().load()
    source = plugins.create("data source", "csv", {"path": "rows.csv"})
    ```

    Args:
        blocked: Distributions never imported.
        only: Where given, no other distribution is imported; a mapping gives the version each must have. The
            built-ins of Tuneloop itself are always allowed.
        rules: What other places say about distributions.
    """

    def __init__(
        self,
        *,
        blocked: Collection[str] = (),
        only: Mapping[str, str] | Collection[str] | None = None,
        rules: Sequence[PluginRules] = (),
    ) -> None:
        listed = None if only is None else tuple(only)
        reason = f"it is not among the only distributions allowed: {', '.join(listed or ()) or 'none'}"
        given = PluginRules(tuple(blocked), listed, only_reason=reason)
        self._policy = Policy([given, *rules], only if isinstance(only, Mapping) else {})
        self._pluggy = pluggy.PluginManager("tuneloop")
        self._pluggy.add_hookspecs(hookspecs)
        self._records: list[PluginRecord] = []
        self._owners: dict[int, int] = {}
        self._classes: dict[tuple[str, str], list[tuple[int, type[Plugin]]]] = {}

    def load(
        self,
        *,
        watch: Callable[[Candidate, Loaded | None], object] = lambda *_: None,
        deadly: Mapping[str, str] | None = None,
    ) -> Self:
        """Find and load all installed plugins, one by one. What is wrong with one never stops another.

        Args:
            watch: Told about each plugin before it is imported, with None, and afterwards, with what came of it.
            deadly: Plugins known to hang or crash, which are not imported: `Candidate.identity` to the reason.
        """
        candidates = discover()
        barred = [self._policy.bar(candidate) for candidate in candidates]
        free = [candidate for candidate, fault in zip(candidates, barred, strict=True) if fault is None]
        for candidate, fault in zip(candidates, barred, strict=True):
            fault = fault or _rivalry(candidate, free) or _known(candidate, deadly or {})
            if fault is not None:
                self._records.append(refuse(candidate, fault))
            else:
                watch(candidate, None)
                loaded = load_plugin(candidate, functools.partial(import_plugin, candidate), self._register)
                watch(candidate, loaded)
                self._keep(loaded)
        self._records.extend(refuse(*pair) for pair in self._policy.absent({c.key for c in candidates}))
        self._mark_conflicts()
        return self

    def add(self, plugin: object, *, name: str, distribution: str = "in-process", version: str = "0") -> PluginRecord:
        """Check and register a plugin that is no installed distribution, such as a module made in a test."""
        module = getattr(plugin, "__name__", type(plugin).__name__)
        self._keep(load_plugin(Candidate(name, module, distribution, version, "path"), lambda: plugin, self._register))
        self._mark_conflicts()
        return self.records[-1]

    @property
    def records(self) -> tuple[PluginRecord, ...]:
        """What became of each plugin, in the order in which they were tried."""
        return tuple(self._records)

    @overload
    def get(self, kind: Literal["data source"], name: str) -> type[DataSource]: ...
    @overload
    def get(self, kind: Literal["transform"], name: str) -> type[Transform]: ...
    @overload
    def get(self, kind: Literal["task"], name: str) -> type[Task]: ...
    @overload
    def get(self, kind: Literal["preprocessor"], name: str) -> type[Preprocessor]: ...
    @overload
    def get(self, kind: Literal["base model"], name: str) -> type[BaseModel]: ...
    @overload
    def get(self, kind: Literal["strategy"], name: str) -> type[Strategy]: ...
    @overload
    def get(self, kind: Literal["launcher"], name: str) -> type[Launcher]: ...
    @overload
    def get(self, kind: Literal["exporter"], name: str) -> type[Exporter]: ...
    @overload
    def get(self, kind: Literal["metric"], name: str) -> type[Metric]: ...
    @overload
    def get(self, kind: Literal["signal"], name: str) -> type[Signal]: ...
    @overload
    def get(self, kind: Literal["detector"], name: str) -> type[Detector]: ...
    @overload
    def get(self, kind: Kind, name: str) -> type[Plugin]: ...
    def get(self, kind: Kind, name: str) -> type[Plugin]:
        """The class of a kind with this name.

        Raises:
            UnknownPluginError: No loaded plugin has one; lists the nearest and the known names.
            PluginConflictError: Two have one; names both.
        """
        return self._entry(kind, name)[1]

    def provider(self, kind: Kind, name: str) -> PluginRecord:
        """The plugin that brings a class; errors as in `get`."""
        return self._records[self._entry(kind, name)[0]]

    def names(self, kind: Kind) -> tuple[str, ...]:
        """The names that `get` knows, sorted."""
        kind_info(kind)
        return tuple(sorted(n for (k, n), found in self._classes.items() if k == kind and len(found) == 1))

    def classes(self, kind: Kind) -> tuple[type[Plugin], ...]:
        """The classes of a kind, sorted by name."""
        return tuple(self.get(kind, name) for name in self.names(kind))

    def create(self, kind: Kind, name: str, options: Mapping[str, Any] | pydantic.BaseModel | None = None) -> Any:
        """An instance of a class, its options validated.

        Raises:
            PluginError: The options are not valid, or the plugin's constructor raised.
        """
        cls, record = self.get(kind, name), self.provider(kind, name)
        try:
            if not isinstance(options, cls.Options):
                values = options.model_dump() if isinstance(options, pydantic.BaseModel) else dict(options or {})
                options = cls.Options.model_validate(values)
        except pydantic.ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'all'}: {e['msg']}" for e in error.errors())
            raise PluginError(f"the options of {kind} {name!r} are not valid: {faults}") from error
        try:
            return cls(options)
        except TuneloopError:
            raise
        except Exception as error:
            said = describe(error)
            raise PluginError(f"{kind} {name!r} ({record.label}) cannot be created: {said}") from error

    def call_order(self, hook: str) -> tuple[PluginRecord, ...]:
        """The plugins that implement a hook, in the order in which they are called.

        Raises:
            ValueError: There is no such hook.
        """
        return tuple(self._records[self._owners[id(impl.plugin)]] for impl in self._implementations(hook))

    def notify(self, hook: str, event: object) -> None:
        """Tell every observer; an error in one is logged with its plugin's name and goes no further."""
        self._each(hook, lambda _: event)

    def extend(self, group: Callable[[], Group]) -> list[tuple[PluginRecord, Group]]:
        """Let each plugin add commands to a `click.Group` of its own; an error in one is logged."""
        filled: list[tuple[PluginRecord, Group]] = []

        def give(record: PluginRecord) -> Group:
            filled.append((record, group()))
            return filled[-1][1]

        self._each("tuneloop_cli", give)
        return filled

    def _each(self, hook: str, argument: Callable[[PluginRecord], object]) -> None:
        for implementation in self._implementations(hook):
            record = self._records[self._owners[id(implementation.plugin)]]
            arguments = (argument(record),) if implementation.argnames else ()
            try:
                with trace.traced(hook, record):
                    implementation.function(*arguments)
            except Exception as error:
                logger.error("%s: %s raised %s", record.label, hook, describe(error), exc_info=True)

    def _implementations(self, hook: str) -> list[pluggy.HookImpl]:
        if hook not in hook_arguments():
            raise ValueError(f"there is no hook {hook!r}; known: {', '.join(hook_arguments())}")
        return list(reversed(getattr(self._pluggy.hook, hook).get_hookimpls()))

    def _entry(self, kind: Kind, name: str) -> tuple[int, type[Plugin]]:
        kind_info(kind)
        found = self._classes.get((kind, name), [])
        if not found:
            raise UnknownPluginError(kind, name, self.names(kind), self.absent_hint())
        if len(found) > 1:
            labels = " and ".join(self._records[owner].label for owner, _ in found)
            ways = ways_out(self._records[owner].distribution for owner, _ in found)
            raise PluginConflictError(f"{kind} {name!r} is brought by {labels}, so neither can be used: {ways}")
        return found[0]

    def absent_hint(self) -> str:
        """One sentence about plugins that are installed but not loaded; empty where all are."""
        absent = [r for r in self.records if r.status in ("failed", "incompatible", "blocked") or not r.hooks]
        if not absent:
            return ""
        listed = ", ".join(f"{r.name!r} of {r.distribution} ({r.status})" for r in absent[:5])
        return f"Not loaded: {listed}; `tuneloop plugins doctor` says why."

    def _keep(self, loaded: Loaded) -> None:
        number = len(self._records)
        self._records.append(loaded.record)
        if loaded.plugin is not None:
            self._owners[id(loaded.plugin)] = number
        for kind, cls in loaded.classes:
            self._classes.setdefault((kind, cls.name), []).append((number, cls))

    def _register(self, plugin: object) -> None:
        self._pluggy.register(plugin, name=str(len(self._records)))

    def _mark_conflicts(self) -> None:
        for (kind, name), found in self._classes.items():
            if len(found) < 2:
                continue
            labels = " and ".join(self._records[owner].label for owner, _ in found)
            ways = ways_out(self._records[owner].distribution for owner, _ in found)
            for owner, _ in found:
                reason = f"{kind} {name!r} is brought by {labels}, so neither can be used: {ways}"
                record = self._records[owner]
                if reason not in record.reason:
                    joined = "; ".join(filter(None, [record.reason, reason]))
                    self._records[owner] = replace(record, status="conflict", reason=joined)


def standard_manager(rules: PluginRules | None = None) -> PluginManager:
    """A manager, nothing loaded yet, that honours the rules of the user, of the environment, and those given.

    Args:
        rules: What the project says; see `tuneloop.config.project_plugins`.
    """
    return PluginManager(rules=[user_rules(), environment_rules(), *([] if rules is None else [rules])])


@functools.cache
def default_manager(rules: PluginRules | None = None) -> PluginManager:
    """The plugins of this process, loaded once for each set of rules; see `standard_manager`."""
    return standard_manager(rules).load()


def _known(candidate: Candidate, deadly: Mapping[str, str]) -> FaultError | None:
    reason = deadly.get(candidate.identity)
    return FaultError("failed", reason) if reason else None


def ways_out(distributions: Iterable[str]) -> str:
    """How to end a conflict between distributions."""
    lines = [f"`tuneloop plugins block {name}`" for name in dict.fromkeys(distributions) if name != HOME]
    return f"uninstall or block one: {' or '.join(lines)}" if lines else "rename one"


def _rivalry(candidate: Candidate, free: Sequence[Candidate]) -> FaultError | None:
    """Two distributions with one entry-point name: neither is chosen silently."""
    rivals = [other for other in free if other.name == candidate.name]
    if len(rivals) < 2:
        return None
    return FaultError(
        "conflict",
        f"the entry-point name {candidate.name!r} is used by {' and '.join(other.label for other in rivals)}, so "
        f"neither is loaded: {ways_out(other.distribution for other in rivals)}",
    )
