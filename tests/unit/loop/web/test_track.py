from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from hypothesis import given
from hypothesis import strategies as st

from tuneloop.loop.web.overview import stretches
from tuneloop.loop.web.track import Stretch, draw_track
from tuneloop.registry import Move

SVG = "{http://www.w3.org/2000/svg}"


def move(kind: str, version: str, hour: int) -> Move:
    return Move(kind, version, None, "mia", f"2026-01-01T{hour:02d}:00:00Z", "why")


START = 1767225600.0
"""2026-01-01 in UTC."""


def test_each_champion_lasts_until_the_next() -> None:
    moves = [move("promote", "1", 1), move("shadow", "2", 2), move("promote", "2", 3), move("rollback", "1", 5)]
    assert stretches(moves, START + 6 * 3600) == [
        Stretch("1", START + 3600, START + 3 * 3600, False),
        Stretch("2", START + 3 * 3600, START + 5 * 3600, False),
        Stretch("1", START + 5 * 3600, START + 6 * 3600, True),
    ]
    assert stretches([], 0) == []


def test_clocks_that_disagree_make_no_stretch_of_negative_length() -> None:
    found = stretches([move("promote", "1", 5), move("promote", "2", 3)], START)
    assert [stretch.end - stretch.start for stretch in found] == [0, 0]
    assert draw_track("t", found, 300).count("<rect") == 2


@given(st.lists(st.tuples(st.text(min_size=1, max_size=8), st.floats(0, 1e6)), min_size=1, max_size=30))
def test_bars_stay_inside_and_are_named(made: list[tuple[str, float]]) -> None:
    moment, found = 0.0, []
    for version, length in made:
        text = "".join(c for c in version if c.isprintable()) or "1"
        found.append(Stretch(text, moment, moment + length, False))
        moment += length
    root = ElementTree.fromstring(draw_track("<versions>", found, 400))
    assert root.findtext(f"{SVG}title") == "<versions>"
    bars = list(root.iter(f"{SVG}rect"))
    assert len(bars) == len(made)
    for bar in bars:
        assert -0.1 <= float(bar.get("x", "")) <= 400
