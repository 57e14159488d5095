from __future__ import annotations

from typing import Any

from tuneloop.pipeline.findings.clocks import clocks

NAMES = ("id", "code", "when", "age", "job", "price")


def rows(count: int = 60) -> list[dict[str, Any]]:
    return [
        {
            "id": (i * 37) % 1009,
            "code": f"k{(i * 53) % 997}",
            "when": 1_700_000_000.5 + i * 3600,
            "age": i % 40,
            "job": "cook" if i % 3 else None,
            "price": float((i * 7919) % 1000) + 0.25,
        }
        for i in range(count)
    ]


def test_times_and_identifiers_are_named_with_the_line_to_add() -> None:
    found = clocks(rows(), NAMES)
    assert [one["name"] for one in found] == ["identifiers"] * 3
    texts = [one["text"] for one in found]
    assert "column 'id' are all different" in texts[0]
    assert "monitor: {exclude: ['column:id']}" in texts[0]
    assert "column 'code' are all different" in texts[1]
    assert "column 'when' are in order" in texts[2]


def test_few_rows_say_nothing() -> None:
    assert clocks(rows(30), NAMES) == []
