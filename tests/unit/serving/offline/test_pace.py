from __future__ import annotations

import pytest

from tuneloop.serving.offline.pace import Pace


def test_the_time_left_follows_from_this_attempt_alone() -> None:
    pace = Pace(rows=600, refused=0, done=0.6, seconds=10.0, fresh_rows=100, fresh_done=0.1)
    assert pace.rate == 10.0
    assert pace.left == pytest.approx(40.0)


def test_nothing_is_known_at_first() -> None:
    pace = Pace(0, 0, 0.0, 0.0, 0, 0.0)
    assert pace.rate == 0.0
    assert pace.left is None
