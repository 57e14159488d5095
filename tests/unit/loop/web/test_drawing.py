from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.loop.web.drawing import COLOURS, NARROW, WIDE, Chart, Line, Size, colour_of, draw

DAY = 86400.0
SVG = "{http://www.w3.org/2000/svg}"
numbers = st.floats(-1e9, 1e9, allow_nan=False)


def chart(points: list[tuple[float, float]], **more: Any) -> Chart:
    return Chart("a <title>", (Line("age", tuple(points), 0),), 0.0, DAY, **more)


def drawn(one: Chart, size: Size = WIDE) -> ElementTree.Element:
    return ElementTree.fromstring(draw(one, size))


def test_a_drawing_is_named_and_escaped() -> None:
    root = drawn(chart([(0, 1), (DAY, 2)], limit=(3.0, "<alarm>")))
    assert root.findtext(f"{SVG}title") == "a <title>"
    assert root.get("role") == "img"
    assert "<alarm>" in [text.text for text in root.iter(f"{SVG}text")]
    assert "style=" not in draw(chart([(0, 1)]), WIDE)


@pytest.mark.parametrize("size", [WIDE, NARROW])
@given(st.lists(st.tuples(st.floats(0, DAY), numbers), min_size=1, max_size=60), st.booleans())
def test_everything_stays_inside(size: Size, points: list[tuple[float, float]], percent: bool) -> None:
    if percent:
        points = [(moment, abs(value) % 1) for moment, value in points]
    root = drawn(chart(sorted(points), gap=DAY / 10, percent=percent), size)
    pairs = [pair.split(",") for line in root.iter(f"{SVG}polyline") for pair in line.get("points", "").split()]
    pairs += [[circle.get("cx", ""), circle.get("cy", "")] for circle in root.iter(f"{SVG}circle")]
    assert pairs
    for x, y in pairs:
        assert 0 <= float(x) <= size.width
        assert 0 <= float(y) <= size.height
    labels = [text.text for text in root.iter(f"{SVG}text")]
    assert len(labels) == len([label for label in labels if label])


def test_higher_values_are_higher_and_later_ones_more_to_the_right() -> None:
    (line,) = drawn(chart([(0, 1), (DAY / 2, 3), (DAY, 2)])).iter(f"{SVG}polyline")
    places = [tuple(map(float, pair.split(","))) for pair in line.get("points", "").split()]
    assert places[0][0] < places[1][0] < places[2][0]
    assert places[1][1] < places[2][1] < places[0][1]


def test_where_there_was_no_data_no_line_is_drawn() -> None:
    points = [(0.0, 1.0), (10.0, 1.0), (1000.0, 1.0), (1010.0, 2.0), (5000.0, 1.0)]
    root = drawn(chart(points, gap=100.0))
    assert [len(line.get("points", "").split()) for line in root.iter(f"{SVG}polyline")] == [2, 2]
    assert len(list(root.iter(f"{SVG}circle"))) == 5


def test_a_band_goes_there_on_top_and_back_below() -> None:
    line = Line("version 1", ((0, 0.9), (DAY, 0.8)), 1, ((0, 0.85, 0.95), (DAY, 0.7, 0.9)))
    (band,) = drawn(Chart("accuracy", (line,), 0, DAY, percent=True)).iter(f"{SVG}polygon")
    assert band.get("class") == "band c1"
    places = [tuple(map(float, pair.split(","))) for pair in band.get("points", "").split()]
    assert [x for x, _ in places] == [places[0][0], places[1][0], places[1][0], places[0][0]]
    assert places[0][1] < places[3][1]


def test_marks_are_round_values_and_times() -> None:
    labels = [text.text for text in drawn(chart([(0, 0.0), (DAY, 100.0)])).iter(f"{SVG}text")]
    assert {"0", "25", "50", "75", "100", "06:00", "12:00", "18:00"} <= set(labels)
    labels = [text.text for text in drawn(chart([(0, 0.5), (DAY, 0.9)], percent=True)).iter(f"{SVG}text")]
    assert {"50%", "60%"} <= set(labels)
    labels = [text.text for text in drawn(chart([(0, 0.90), (DAY, 0.91)], percent=True)).iter(f"{SVG}text")]
    assert any(re.fullmatch(r"90\.\d%", str(label)) for label in labels)


@given(st.integers(1, 10_000))
def test_versions_in_a_row_have_colours_of_their_own(number: int) -> None:
    colours = {colour_of(str(version)) for version in range(number, number + COLOURS)}
    assert colours == set(range(COLOURS))


@given(st.text())
def test_any_version_has_a_colour(version: str) -> None:
    assert 0 <= colour_of(version) < COLOURS
