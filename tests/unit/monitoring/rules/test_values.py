from __future__ import annotations

import pytest

from tuneloop.api import ConfigError
from tuneloop.monitoring.rules import (
    WatchValues,
    duration,
    suggested_interval,
)


def test_a_window_needs_several_scrapes() -> None:
    with pytest.raises(ConfigError, match="at least 4 scrapes"):
        WatchValues("desk", window=30, scrape_interval=10)
    with pytest.raises(ConfigError, match="above 120 s"):
        WatchValues("desk", window=86400, scrape_interval=300)
    assert duration(90) == "90s"
    assert duration(1.5) == "1500ms"
    assert WatchValues("desk", window=60).hold == 15


def test_an_interval_is_suggested_for_every_window() -> None:
    assert [suggested_interval(window) for window in (4, 20, 60, 3600, 86400)] == [1, 1, 1.5, 15, 120]
    for window in (0.5, 4, 37, 1e6):
        assert WatchValues("desk", window=window, scrape_interval=suggested_interval(window)).hold == window / 4
