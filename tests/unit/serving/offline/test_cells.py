from __future__ import annotations

import datetime
import decimal
import json
from typing import Any

import pytest

from tuneloop.api import DataError
from tuneloop.serving.offline.cells import as_json, as_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (True, "true"),
        (0.1, 0.1),
        ("a", "a"),
        ([1, "é"], '[1, "é"]'),
        ({"a": None}, '{"a": null}'),
        (datetime.datetime(2026, 1, 2, 3), "2026-01-02T03:00:00"),
        (decimal.Decimal("1.10"), "1.10"),
    ],
)
def test_values_as_texts(value: Any, text: Any) -> None:
    assert as_text(value) == text


def test_values_as_json() -> None:
    value = {"when": datetime.date(2026, 1, 2), "list": (1, float("nan")), "big": 10**30}
    assert json.loads(json.dumps(as_json(value))) == {"when": "2026-01-02", "list": [1, None], "big": 10**30}


def test_bytes_have_no_form() -> None:
    with pytest.raises(DataError, match="type bytes"):
        as_text(b"\x00")
