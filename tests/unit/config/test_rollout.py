from __future__ import annotations

from typing import Any

import pytest
from tests.unit.config.test_load import SMALLEST

from tuneloop.api import ConfigError
from tuneloop.config import Canary, Rollout, RolloutLimits, Shadow


def test_a_watch_is_all_there_is_unless_more_is_asked_for(parse: Any) -> None:
    assert parse(SMALLEST).rollout == Rollout(shadow=None, canary=None, watch=1800.0)


def test_everything_can_be_said(parse: Any) -> None:
    rollout = parse(
        SMALLEST
        + """
rollout:
  approval: true
  shadow: {for: 5m, rows: 300, agreement: 0.9}
  canary: {steps: [0.1, 0.5], for: 20m, rows: 900, by: text}
  watch: null
  limits: {error_rate: 0.02, latency_ratio: 1.5, accuracy_drop: 0.01}
  timeout: 2h
  on_timeout: promote
"""
    ).rollout
    assert rollout == Rollout(
        shadow=Shadow(300.0, 300, 0.9),
        canary=Canary((0.1, 0.5), 1200.0, 900, "text"),
        watch=None,
        approval=True,
        limits=RolloutLimits(0.02, 1.5, 0.01),
        timeout=7200.0,
        on_timeout="promote",
    )


def test_an_empty_section_has_the_defaults(parse: Any) -> None:
    rollout = parse(SMALLEST + "\nrollout: {shadow: {}, canary: {}, watch: {}}\n").rollout
    assert rollout == Rollout(Shadow(600.0, 500), Canary((0.05, 0.25), 600.0, 500), 1800.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rollout: {canary: {steps: [0.5, 0.1]}}", "steps that rise"),
        ("rollout: {canary: {steps: []}}", "steps"),
        ("rollout: {canary: {steps: [1.5]}}", "steps"),
        ("rollout: {shadow: {fro: 5m}}", "Did you mean 'for'"),
        ("rollout: {shadow: {for_: 5m}}", "Did you mean 'for'"),
        ("rollout: {watch: {for: 5}}", "90s, 5m, 1h"),
        ("rollout: {on_timeout: wait}", "stop"),
        ("rollout: {limits: {latency_ratio: 0.5}}", "latency_ratio"),
    ],
)
def test_what_makes_no_sense_is_refused(parse: Any, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse(f"{SMALLEST}\n{text}\n")
