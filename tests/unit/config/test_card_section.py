"""`card` and `evaluate.calibrate`."""

from __future__ import annotations

from typing import Any

import pytest

from tuneloop.api import ConfigError
from tuneloop.config.card_shape import Card


def test_a_card_may_say_nothing(parse: Any, desk: str) -> None:
    project = parse(desk)
    assert project.card == Card()
    assert project.evaluate.calibrate == "temperature"


def test_all_of_it_can_be_said(parse: Any, desk: str) -> None:
    said = "card: {use: to sort letters, not_for: people, limits: slang, license: MIT, data_license: CC-BY-4.0,"
    said += " data_source: the desk, license_column: terms, consent: asked, consent_column: agreed,"
    said += " contact: desk@example.org, country: DEU}\n"
    card = parse(desk + said).card
    assert (card.use, card.not_for, card.limits, card.license) == ("to sort letters", "people", "slang", "MIT")
    assert (card.data_license, card.data_source, card.consent) == ("CC-BY-4.0", "the desk", "asked")
    assert (card.license_column, card.consent_column) == ("terms", "agreed")
    assert (card.contact, card.country) == ("desk@example.org", "DEU")


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("card: {country: Germany}", "card.country"),
        ("card: {use: ''}", "card.use"),
        ("card: {licence: MIT}", "card.licence"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(parse: Any, desk: str, said: str, place: str) -> None:
    with pytest.raises(ConfigError, match=place):
        parse(f"{desk}{said}\n")


def test_calibration_can_be_left_out(parse: Any, desk: str) -> None:
    wanted = desk.replace("metrics: [macro_f1, accuracy]", "metrics: [macro_f1, accuracy], calibrate: none")
    assert parse(wanted).evaluate.calibrate == "none"
    with pytest.raises(ConfigError, match=r"evaluate\.calibrate"):
        parse(wanted.replace("calibrate: none", "calibrate: platt"))
