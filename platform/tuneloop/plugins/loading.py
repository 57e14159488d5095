"""Import one plugin and ask its hooks, and put whatever goes wrong into words."""

from __future__ import annotations

import importlib
import logging
import threading
import time
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuneloop.api import TuneloopError
from tuneloop.plugins.checks import FaultError, check_api
from tuneloop.plugins.discovery import Candidate, stated_api

SLOW_SECONDS = 5.0
"""After this time of importing one plugin the log names it, so that a hanging one can be found."""

logger = logging.getLogger("tuneloop.plugins")


def import_plugin(candidate: Candidate) -> object:
    """Import what an entry point refers to.

    Raises:
        FaultError: It cannot be imported; the cause is chained.
    """
    if candidate.fault:
        raise FaultError("failed", candidate.fault)
    try:
        with _named_while_slow(candidate):
            plugin: object = importlib.import_module(candidate.module)
            for attribute in filter(None, candidate.value.partition(":")[2].split("[")[0].strip().split(".")):
                plugin = getattr(plugin, attribute)
    except (Exception, SystemExit) as error:
        if isinstance(error, (ImportError, AttributeError)):
            _blame_api(candidate.module, error)
        raise FaultError("failed", _import_reason(candidate, error)) from error
    if isinstance(plugin, types.ModuleType) and getattr(plugin, "__file__", None) is None:
        raise FaultError(
            "failed", f"{candidate.module} is a folder without __init__.py: reinstall {candidate.distribution}"
        )
    return plugin


def call(function: Callable[..., Any], hook: str, *arguments: Any) -> Any:
    """Call one hook function.

    Raises:
        FaultError: It raised; the cause is chained.
    """
    try:
        return function(*arguments)
    except (Exception, SystemExit) as error:
        raise FaultError("failed", f"its hook {hook} raised {describe(error)}") from error


def describe(error: BaseException) -> str:
    """An error in one line: type, text, and the place that raised it."""
    text = " ".join(str(error).split())
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) or not frames or isinstance(error, TuneloopError):
        return said
    return f"{said} ({frames[-1].filename}, line {frames[-1].lineno})"


def render(error: BaseException) -> str:
    """The traceback of an error without the frames of the import system and of this package."""
    report = traceback.TracebackException.from_exception(error)
    report.stack = traceback.StackSummary.from_list([frame for frame in report.stack if _foreign(frame)])
    return "".join(report.format())


def place(error: BaseException, source: str | None) -> str:
    """Where in its own file a plugin raised an error, or else where what it called did."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _foreign(frame)]
    frames = [frame for frame in frames if frame.filename == source] or frames
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else "a place that is not known"


def _foreign(frame: traceback.FrameSummary) -> bool:
    here = str(Path(__file__).parent)
    return not frame.filename.startswith((here, "<frozen importlib")) and frame.filename != importlib.__file__


def _blame_api(module: str, error: Exception) -> None:
    """An import that fails because the plugin was written for another API is reported as what it is."""
    stated = stated_api(module)
    if stated is not None:
        try:
            check_api(stated, module)
        except FaultError as fault:
            raise fault from error


def _import_reason(candidate: Candidate, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        if candidate.module == error.name or candidate.module.startswith(error.name + "."):
            return (
                f"its entry point refers to the module {candidate.module!r}, which does not exist: "
                f"reinstall {candidate.distribution}"
            )
        return (
            f"it needs the Python module {error.name!r}, which is not installed: "
            f"pip install {error.name.partition('.')[0]} (or the package that brings it)"
        )
    return f"importing {candidate.module} raised {describe(error)}"


@contextmanager
def _named_while_slow(candidate: Candidate) -> Iterator[None]:
    began = time.perf_counter()
    timer = threading.Timer(
        SLOW_SECONDS,
        logger.warning,
        (
            "plugin %r of %s is still being imported after %.0f s; `tuneloop plugins block %s` leaves it out",
            candidate.name,
            candidate.label,
            SLOW_SECONDS,
            candidate.distribution,
        ),
    )
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        logger.debug("imported %s in %.3f s", candidate.module, time.perf_counter() - began)
