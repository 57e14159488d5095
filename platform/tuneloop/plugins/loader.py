"""Take one plugin from its entry point to checked classes, or to a record that says what is wrong with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tuneloop.api import Plugin
from tuneloop.plugins import checks, loading, trace
from tuneloop.plugins.discovery import Candidate, find_source
from tuneloop.plugins.kinds import KINDS, Kind
from tuneloop.plugins.limit import VARIABLE, TimeLimitError, limit_seconds, time_limit
from tuneloop.plugins.record import PluginRecord


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of one plugin; `plugin` is None where it is not loaded. `hung`: because it took too long."""

    record: PluginRecord
    plugin: object | None = None
    classes: tuple[tuple[Kind, type[Plugin]], ...] = ()
    hung: bool = False


def load_plugin(candidate: Candidate, importer: Callable[[], object], register: Callable[[object], None]) -> Loaded:
    """Import, check, ask and register one plugin. Never raises for anything the plugin does.

    Args:
        candidate: The entry point.
        importer: Gives the plugin's module.
        register: Called last, with a plugin whose hooks and classes are all in order.
    """
    began, seconds = time.perf_counter(), limit_seconds()
    record = refuse(candidate, None)
    try:
        with time_limit(seconds):
            try:
                plugin = importer()
            finally:
                record = replace(record, import_seconds=time.perf_counter() - began)
            record = replace(record, source=getattr(plugin, "__file__", None) or record.source)
            checks.check_api(getattr(plugin, "TUNELOOP_API", None), candidate.module)
            hooks = checks.find_hooks(plugin)
            record = replace(record, hooks=tuple(sorted(hooks)))
            classes = _ask(hooks, record)
        register(plugin)
    except checks.FaultError as fault:
        return Loaded(_with_fault(record, fault))
    except TimeLimitError as error:
        return Loaded(_with_fault(record, _too_slow(record, seconds, error)), hung=True)
    except Exception as error:
        # Module-level __getattr__, metaclasses and properties of a plugin run during the checks themselves.
        unforeseen = checks.FaultError("failed", f"checking it raised {loading.describe(error)}")
        unforeseen.__cause__ = error
        return Loaded(_with_fault(record, unforeseen))
    listed = tuple((kind, cls.name) for kind, cls in classes)
    return Loaded(replace(record, classes=listed), plugin, tuple(classes))


def refuse(candidate: Candidate, fault: checks.FaultError | None) -> PluginRecord:
    """The record of a plugin that was not imported."""
    record = PluginRecord(
        name=candidate.name,
        status="loaded",
        distribution=candidate.distribution,
        version=candidate.version,
        module=candidate.value,
        source=find_source(candidate.module),
        origin=candidate.origin,
        came_from=candidate.came_from,
    )
    return record if fault is None else _with_fault(record, fault)


def _ask(hooks: Mapping[str, Any], record: PluginRecord) -> list[tuple[Kind, type[Plugin]]]:
    classes: list[tuple[Kind, type[Plugin]]] = []
    for info in KINDS:
        if info.hook in hooks:
            with trace.traced(info.hook, record):
                answer = loading.call(hooks[info.hook], info.hook)
                checked = checks.check_classes(answer, info)
            classes.extend((info.kind, cls) for cls in checked)
    return classes


def _too_slow(record: PluginRecord, seconds: float, error: TimeLimitError) -> checks.FaultError:
    fault = checks.FaultError(
        "failed",
        f"loading it did not end within {seconds:g} s; it was busy in {loading.place(error, record.source)}: "
        f"`tuneloop plugins block {record.distribution}` leaves it out, and {VARIABLE}=SECONDS gives it longer",
    )
    fault.__cause__ = error
    return fault


def _with_fault(record: PluginRecord, fault: checks.FaultError) -> PluginRecord:
    cause = fault.__cause__
    shown = loading.render(cause) if cause is not None else ""
    return replace(record, status=fault.status, reason=fault.reason, traceback=shown)
