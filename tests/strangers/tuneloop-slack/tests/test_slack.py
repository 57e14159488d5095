"""The contract of observers, and the sentences."""

from __future__ import annotations

from typing import Any

import pytest
import tuneloop_slack
from tuneloop_slack import messages

from tuneloop.api import GateEvent, PromotionEvent
from tuneloop.api.testing import ObserverContract


class TestSlack(ObserverContract):
    plugin = tuneloop_slack

    @pytest.fixture(autouse=True)
    def _nothing_is_sent(self, monkeypatch: Any) -> None:
        monkeypatch.delenv(tuneloop_slack.VARIABLE, raising=False)


def test_a_first_champion_has_no_predecessor() -> None:
    said = messages.promoted(PromotionEvent("shop", "1", None, "ada", "the first"))
    assert said == ":rocket: *shop*: version 1 is the champion. ada: the first"


def test_a_long_list_of_checks_is_cut() -> None:
    said = messages.refused(GateEvent("shop", "r1", False, tuple(f"check {n}" for n in range(14))))
    assert said.splitlines()[-2:] == ["• check 9", "• and 4 more"]
