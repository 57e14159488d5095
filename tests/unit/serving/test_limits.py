from __future__ import annotations

import pytest

from tuneloop.api import ServingError
from tuneloop.serving.limits import DEFAULT_LIMITS, Limits


def test_limits_come_from_the_environment_where_it_sets_them() -> None:
    found = Limits.from_environment(
        {"TUNELOOP_BODY_SECONDS": "0.5", "TUNELOOP_QUEUE_ROWS": "7", "TUNELOOP_HELD_BYTES": ""}
    )
    assert found == Limits(body_seconds=0.5, queue_rows=7)
    assert Limits.from_environment({}) == DEFAULT_LIMITS


@pytest.mark.parametrize("given", ["0", "-1", "many", "nan", "inf", "1e400", " "])
@pytest.mark.parametrize("name", ["TUNELOOP_DEADLINE_SECONDS", "TUNELOOP_HELD_BYTES"])
def test_a_limit_that_is_none_is_refused_with_its_name_and_value(name: str, given: str) -> None:
    with pytest.raises(ServingError, match=name) as caught:
        Limits.from_environment({name: given})
    assert repr(given) in str(caught.value)
