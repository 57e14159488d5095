from __future__ import annotations

from tests.bench.drift import many
from tests.bench.drift.table import markdown


def test_folding_ends_false_alarms_over_many_categories(monkeypatch) -> None:
    monkeypatch.setattr(many, "_SETTINGS", [(8, "Zipf", 1000, 20_000), (200, "Zipf", 300, 20_000)])
    few, most = many.play(0, 0.2)
    assert few.before_nominal == few.nominal
    assert most.before_alarms > 0.02
    assert most.alarms == 0
    assert most.nominal < most.before_nominal / 3
    assert "| 200 Zipf | 300 | 20000 |" in markdown([], None, [few, most])
