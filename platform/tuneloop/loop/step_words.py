"""Which steps of a retraining are stages, and what each says of its result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def canary_stage(share: float) -> str:
    """The name of a step of the canary: `canary 5%`."""
    return f"canary {share * 100:g}%"


SAID: dict[str, Callable[[Any], str | None]] = {
    "freeze": lambda rows: f"{rows} labelled rows",
    "train": lambda status: f"{status['state']}: version {status['version']}" if status["version"] else status["state"],
    "approval": lambda found: str(found["sentence"]),
    "shadow": lambda result: str(result["sentence"]),
    "canary": lambda result: str(result["sentence"]),
    "promote": lambda refusal: str(refusal) or "promoted",
    "prove": lambda found: str(found[1]),
    "watch": lambda result: str(result["sentence"]),
    "undo": str,
}
"""The steps that are stages of their own, and what each says of its result."""


def stage_of(name: str, arguments: tuple[Any, ...]) -> str | None:
    """The stage that a step is; None where it is none."""
    if name not in SAID:
        return None
    return canary_stage(arguments[2]) if name == "canary" else name
