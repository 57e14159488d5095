from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bench.scale.needs import DAY, USED, Costs, needs

COSTS = Costs(
    request_cpu=3e-4,
    replica_memory=300e6,
    replica_series=1000,
    series_memory=5000,
    sample_cpu=2e-6,
    sample_bytes=1.5,
    row_cpu=5e-5,
    row_bytes=800,
)


def test_a_load_by_hand() -> None:
    found = needs(10_000, COSTS, interval=10, stored=0.5)
    # 3 cores of requests, of which 60 % may be used.
    assert found.replicas == 5
    assert found.series == 5000
    assert found.samples_per_second == 500
    assert found.prometheus_memory == pytest.approx(25e6)
    assert found.prometheus_day == pytest.approx(500 * 1.5 * DAY)
    assert found.rows_per_second == 5000
    assert found.database_cores == pytest.approx(5000 * 5e-5 / USED)
    assert found.database_day == pytest.approx(5000 * 800 * DAY)


def test_one_replica_may_end() -> None:
    assert needs(1, COSTS).replicas == 2


@given(st.floats(1, 1e6), st.floats(1, 1e6))
def test_more_needs_more(one: float, other: float) -> None:
    few, many = needs(min(one, other), COSTS), needs(max(one, other), COSTS)
    assert few.replicas <= many.replicas
    assert few.database_day <= many.database_day
    # No replica is used above its share.
    assert many.replicas * USED >= max(one, other) * COSTS.request_cpu * (1 - 1e-9)
