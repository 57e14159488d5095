"""Load all plugins in another process, so that none can hang or end this one; see what became of each."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from tuneloop.api import PluginError
from tuneloop.plugins.limit import VARIABLE, limit_seconds
from tuneloop.plugins.record import PluginRecord
from tuneloop.plugins.rules import PluginRules, user_rules

_GRACE = 2.0
"""Seconds beyond the limit that a process has to stop a plugin by itself."""
_START = 60.0
"""Seconds until a process must have begun with the first plugin."""
_BOOT = """\
import json, sys
given = json.loads(sys.argv[1])
sys.path[:] = given["path"]
from tuneloop.plugins.probed import main
main(given)
"""


@dataclass(frozen=True, slots=True)
class Probe:
    """What the other process found.

    Attributes:
        records: What became of each plugin.
        deadly: Plugins that hung or ended the process, as `Candidate.identity`, each with the reason.
    """

    records: tuple[PluginRecord, ...]
    deadly: dict[str, str] = field(default_factory=dict)


def probe(rules: PluginRules | None = None) -> Probe:
    """Load all plugins elsewhere. One that hangs or crashes costs a process, and the others are tried again.

    Args:
        rules: What the project says about plugins; user and environment have their say in any case.

    Raises:
        PluginError: The list of blocked plugins cannot be read, or the other process cannot be started.
    """
    # The other process reads it too; told here, its error is one line.
    user_rules()
    deadly: dict[str, str] = {}
    while True:
        records, culprit, ending = _attempt(rules, deadly)
        if records is not None:
            return Probe(records, deadly)
        if not culprit or culprit in deadly:
            raise PluginError(
                f"plugins could not be checked: the process that loads them {ending}. "
                "What it said stands above; TUNELOOP_PLUGINS_ONLY= leaves out all but Tuneloop's own."
            )
        line = f"`tuneloop plugins block {culprit.partition('/')[0]}` leaves it out"
        deadly[culprit] = f"loading it {ending}, so no command could go on: {line}"


def _attempt(rules: PluginRules | None, deadly: dict[str, str]) -> tuple[tuple[PluginRecord, ...] | None, str, str]:
    """One process: the records, or the plugin that was being loaded when it ended and how it ended.

    Plugins that hung, but could be stopped, are added to `deadly`.
    """
    seconds = limit_seconds()
    given = json.dumps({"path": sys.path, "rules": None if rules is None else asdict(rules), "deadly": deadly})
    command = [sys.executable, "-P", "-c", _BOOT, given]
    culprit = ""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        try:
            for message in _messages(process, seconds + _GRACE):
                if "records" in message:
                    return tuple(map(_record, message["records"])), "", ""
                if "hung" in message:
                    deadly[message["hung"]] = message["reason"]
                else:
                    culprit = message["loading"]
            return None, culprit, _ending(process.wait(_GRACE))
        except (TimeoutError, subprocess.TimeoutExpired):
            return None, culprit, f"did not end within {seconds:g} s ({VARIABLE}=SECONDS gives it longer)"
        finally:
            process.kill()


def _messages(process: subprocess.Popen[bytes], seconds: float) -> Iterator[dict[str, Any]]:
    """Lines of JSON as they come; `TimeoutError` where the next one takes too long."""
    assert process.stdout is not None
    buffer, patience = b"", _START
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        deadline = time.monotonic() + patience
        while True:
            if not selector.select(max(deadline - time.monotonic(), 0)):
                raise TimeoutError
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                return
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                yield json.loads(line)
                deadline = time.monotonic() + seconds


def _record(values: dict[str, Any]) -> PluginRecord:
    pairs = tuple((kind, name) for kind, name in values["classes"])
    return PluginRecord(**{**values, "hooks": tuple(values["hooks"]), "classes": pairs})


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended the process with exit code {code}"
    try:
        return f"ended the process by signal {signal.Signals(-code).name}"
    except ValueError:
        return f"ended the process by signal {-code}"
