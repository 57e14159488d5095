"""`TUNELOOP_TRACE_PLUGINS=1`: each call of a hook on standard error, with plugin, time and outcome."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tuneloop.plugins.record import PluginRecord

logger = logging.getLogger("tuneloop.plugins.trace")


def enabled() -> bool:
    """Whether the variable asks for it."""
    return os.environ.get("TUNELOOP_TRACE_PLUGINS", "").strip().lower() not in ("", "0", "false", "no")


@contextmanager
def traced(hook: str, record: PluginRecord) -> Iterator[None]:
    """Log one call of a hook, where tracing is on; errors pass through."""
    if not enabled():
        yield
        return
    _attach()
    outcome, began = "ok", time.perf_counter()
    try:
        yield
    except BaseException as error:
        said = " ".join(str(error).split())
        outcome = f"raised {type(error).__name__}{': ' if said else ''}{said}"
        raise
    finally:
        milliseconds = (time.perf_counter() - began) * 1000
        logger.info("%s  %s  %.1f ms  %s", hook, record.label, milliseconds, outcome)


def _attach() -> None:
    """Give the trace a handler of its own, so that it is seen whatever the program does with its logs."""
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("plugin call: %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
