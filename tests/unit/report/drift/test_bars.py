from __future__ import annotations

from tuneloop.report.drift.bars import bars

EVIL = "<script>"


def test_each_bin_has_two_bars_that_say_their_share() -> None:
    drawn = bars("x", ("low", "00: 1 to 2", "missing"), (0, 3, 1), (1, 1, 0))
    assert drawn.count("<rect") == 6
    assert "00: 1 to 2: 75.0% of reference rows" in drawn
    assert "low: 50.0% of current rows" in drawn


def test_names_are_escaped_and_long_ones_cut() -> None:
    drawn = bars(EVIL, (EVIL, "a very long name of a category"), (1, 1), (1, 1))
    assert EVIL not in drawn
    assert "a very long nam…" in drawn


def test_no_rows_and_many_bins_can_be_drawn() -> None:
    assert "nan" not in bars("x", ("a",), (0,), (0,))
    assert bars("x", tuple(map(str, range(60))), (1,) * 60, (1,) * 60).count("<rect") == 120
