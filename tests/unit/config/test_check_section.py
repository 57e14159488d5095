"""`data.check`."""

from __future__ import annotations

from typing import Any

import pytest

from tuneloop.api import ConfigError
from tuneloop.config.project import Check
from tuneloop.config.shape import DataShape
from tuneloop.pipeline.findings.near import MOST_TEXTS
from tuneloop.pipeline.findings.suspects import MOST_ROWS

pytest.importorskip("phonenumbers")


def with_check(desk: str, said: str) -> str:
    return desk.replace("source: jsonl,", f"source: jsonl, check: {said},")


def test_what_stops_what_is_ignored_and_whose_numbers_are_found(parse: Any, desk: str) -> None:
    assert parse(desk).data.check == Check()
    found = parse(with_check(desk, "{stop: [schema], ignore: [imbalance], country: GB}")).data.check
    assert found == Check(("schema",), ("imbalance",), "GB")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{country: XX}", r"data\.check\.country.*two letters of ISO 3166"),
        ("{country: gb}", r"data\.check\.country"),
        ("{stop: [colour]}", r"data\.check\.stop.*'schema'"),
        ("{stop: [schema], ignore: [schema]}", "in both: schema"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(parse: Any, desk: str, said: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        parse(with_check(desk, said))


def test_the_limits_that_are_told_are_those_that_hold() -> None:
    told = str(DataShape.model_fields["check"].description)
    assert f"{MOST_TEXTS:,} rows of texts" in told
    assert f"{MOST_ROWS:,} rows," in told
