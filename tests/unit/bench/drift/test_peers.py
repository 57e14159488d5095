from __future__ import annotations

import numpy as np
import pytest
from tests.bench.drift.peers import PEERS, evidently, p_value, psi

RANDOM = np.random.default_rng(0)
BEFORE, NOW = RANDOM.standard_normal(3000), RANDOM.standard_normal(2000)


def test_psi_of_a_shift_is_its_square() -> None:
    assert psi("number", BEFORE, BEFORE + 0.5) == pytest.approx(0.25, rel=0.2)
    assert psi("number", BEFORE, BEFORE) == 0
    assert psi("category", np.array([0, 1] * 50), np.array([0, 1] * 50)) == 0


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
@pytest.mark.parametrize("rows", [1000, 3000])
def test_every_rule_alarms_at_a_large_change_and_not_at_none(peer, rows) -> None:
    limit = peer.limit("number", rows)
    assert peer.score("number", BEFORE[:rows], NOW + 1) >= limit
    assert peer.score("number", BEFORE[:rows], BEFORE[:rows]) < limit
    categories = RANDOM.integers(0, 4, rows)
    assert peer.score("category", categories, np.where(categories == 0, 1, categories)) >= peer.limit("category", rows)
    assert peer.score("category", categories, categories) < peer.limit("category", rows)


def test_missing_numbers_are_dropped_by_all_of_them() -> None:
    holes = np.concatenate([NOW, np.full(500, np.nan)])
    for score in (psi, p_value, evidently):
        assert score("number", BEFORE, holes) == score("number", BEFORE, NOW)


def test_an_unseen_category_is_evidence_for_all_of_them() -> None:
    before, now = np.array([0, 1] * 1000), np.array([0, 1, 99, 99] * 100)
    assert psi("category", before, now) > 0.1
    assert p_value("category", before, now) > -1e-9
    assert evidently("category", before, now) > 0.1
    assert evidently("category", before[:1000], now) == pytest.approx(0)
