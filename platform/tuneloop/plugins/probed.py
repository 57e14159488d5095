"""The other process of `probe`: loads all plugins and says so, one line of JSON a plugin."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict
from typing import Any

from tuneloop.plugins.discovery import Candidate
from tuneloop.plugins.loader import Loaded
from tuneloop.plugins.manager import standard_manager
from tuneloop.plugins.rules import PluginRules


def main(given: dict[str, Any]) -> None:
    """Load the plugins.

    Args:
        given: `rules` of the project or None, and `deadly` plugins with the reason not to load each.
    """
    # What plugins write to standard output, by whatever means, must not get between the lines.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answer:
        os.dup2(2, 1)
        logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
        logging.addLevelName(logging.WARNING, "warning")

        def say(**message: Any) -> None:
            answer.write(json.dumps(message) + "\n")
            answer.flush()

        def watch(candidate: Candidate, loaded: Loaded | None) -> None:
            if loaded is None:
                say(loading=candidate.identity)
            elif loaded.hung:
                say(hung=candidate.identity, reason=loaded.record.reason)

        raw = given["rules"]
        rules = (
            None if raw is None else PluginRules(**{**raw, "block": tuple(raw["block"]), "only": _only(raw["only"])})
        )
        manager = standard_manager(rules).load(watch=watch, deadly=given["deadly"])
        say(records=[asdict(record) for record in manager.records])
        # Threads that a plugin left behind must not keep the process.
        os._exit(0)


def _only(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
